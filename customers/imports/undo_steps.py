"""What the steps of an undoing are given, and what each answers for a piece of its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from core.runtime import Runtime
from customers.tables import ImportChangeKind, import_change
from customers.workspace import Workspace

PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Undoing:
    """One import that is being undone; it began at `started_at`."""

    runtime: Runtime
    workspace: Workspace
    batch_id: int
    started_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a step: where the next one begins (None: the step is done), and what became of what was looked at.

    `gone` are profiles that went, whose data keys are to be destroyed when the transaction has been committed.
    """

    after: Any = None
    row_count: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    gone: Sequence[int] = ()


Step = Callable[[Connection, Undoing, Any], Page]


def next_after(rows: Sequence[Any], last: Any) -> Any:
    """Where the next piece begins: behind `last`, or nowhere when this one was not full."""
    return last if len(rows) == PAGE else None


def read_changes(connection: Connection, undoing: Undoing, kind: ImportChangeKind, after: Any) -> Sequence[Row[Any]]:
    """The next notes of one kind, by their reference."""
    change = import_change.c
    query = select(import_change).where(change.batch_id == undoing.batch_id, change.kind == kind.value)
    if after is not None:
        query = query.where(change.ref > after)
    return connection.execute(query.order_by(change.ref).limit(PAGE)).all()
