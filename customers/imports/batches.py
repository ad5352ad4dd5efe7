"""The imports that were begun: which file, when, and what became of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from customers.tables import import_batch


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """`status` is running (also of one that was interrupted), done, undoing or undone."""

    id: int
    kind: str
    file: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    read_count: int
    imported_count: int
    unchanged_count: int
    rejected_count: int
    details: Mapping[str, int] = field(default_factory=dict)


def list_batches(connection: Connection, *, limit: int = 100) -> list[ImportBatch]:
    """The latest imports, the last one first."""
    rows = connection.execute(select(import_batch).order_by(import_batch.c.id.desc()).limit(limit))
    return [
        ImportBatch(
            row.id,
            row.kind,
            row.file,
            row.status,
            row.started_at,
            row.finished_at,
            row.undone_at,
            row.rows_done,
            row.counts.get("imported", 0),
            row.counts.get("unchanged", 0),
            sum(row.counts.get("refused", {}).values()),
            {name: count for name, count in row.counts.get("details", {}).items() if count},
        )
        for row in rows
    ]
