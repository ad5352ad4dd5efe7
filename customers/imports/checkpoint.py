"""How far an import has come: committed together with the rows, so that it goes on where it really was.

The same file with the same mapping is one import, known by a hash of both; once it is done, it is not read
again, unless it was undone since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from core.database import insert_ignore
from core.errors import ConflictError
from customers.tables import BatchStatus, import_batch


@dataclass(slots=True)
class Checkpoint:
    """Counts of rows, all of them since the import's first start.

    `details` counts what the rows became (orders, profiles …), `state` is the importer's own note for the finishing,
    `rejects_length` the bytes of the rejects file.
    """

    batch_id: int
    row_count: int = 0
    imported_count: int = 0
    unchanged_count: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    details: Counter[str] = field(default_factory=Counter)
    state: dict[str, Any] = field(default_factory=dict)
    rejects_length: int = 0
    is_done: bool = False


def open_checkpoint(connection: Connection, key: str, kind: str, file: str, now: datetime) -> Checkpoint:
    """The checkpoint of the import `key`, made where it never ran. Raises ConflictError while it is being undone."""
    query = select(import_batch).where(import_batch.c.key == key)
    found = connection.execute(query).one_or_none()
    if found is None:  # asked first, because on PostgreSQL an insert that is passed over uses a number up all the same
        row = {"key": key, "kind": kind, "file": file[:300], "status": BatchStatus.RUNNING, "started_at": now}
        insert_ignore(connection, import_batch, [row])
        found = connection.execute(query).one()
    if found.status == BatchStatus.UNDOING:
        raise ConflictError(
            f"the import of {file} is being undone: finish that with `postilion import undo {found.id}`, then import."
        )
    counts: Mapping[str, Any] = found.counts
    return Checkpoint(
        batch_id=found.id,
        row_count=found.rows_done,
        imported_count=counts.get("imported", 0),
        unchanged_count=counts.get("unchanged", 0),
        refused=Counter(counts.get("refused", {})),
        details=Counter(counts.get("details", {})),
        state=counts.get("state", {}),
        rejects_length=counts.get("rejects_length", 0),
        is_done=found.status == BatchStatus.DONE,
    )


def save_checkpoint(connection: Connection, checkpoint: Checkpoint, finished_at: datetime | None = None) -> None:
    """Store it in the transaction that wrote the rows; `finished_at` ends the import."""
    counts = {
        "imported": checkpoint.imported_count,
        "unchanged": checkpoint.unchanged_count,
        "refused": dict(checkpoint.refused),
        "details": dict(checkpoint.details),
        "state": checkpoint.state,
        "rejects_length": checkpoint.rejects_length,
    }
    values: dict[str, Any] = {"rows_done": checkpoint.row_count, "counts": counts}
    if finished_at is not None:
        checkpoint.is_done = True
        values |= {"status": BatchStatus.DONE, "finished_at": finished_at}
    connection.execute(update(import_batch).where(import_batch.c.id == checkpoint.batch_id).values(**values))
