"""Undoing an import: what a wrong file brought goes again, what was there before it comes back.

Piece by piece, each in one transaction with its checkpoint: killed and started again it goes on where it was, and what
is done changes nothing when it is done again. Three things are never taken back. What somebody changed since stays as
they left it. What something since relies on, a person who was written to for instance, is kept and counted. And no
consent comes back: withdrawals and stops that the file brought stay, and each of its grants is answered by a withdrawal
of the same instant, so that nobody is written to because of it; whoever agreed after that stays agreed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from core.errors import ConflictError, NotFoundError
from core.ids import content_hash
from core.runtime import Runtime
from customers.imports import undo_people, undo_records
from customers.imports.turns import Turn
from customers.imports.undo_steps import Step, Undoing
from customers.tables import BatchStatus, import_batch, import_change
from customers.workspace import Workspace

Progress = Callable[[int, int | None], None]
"""Told after each piece: how many things were looked at, and None, because nobody knows how many there are."""

# In this order: a person may go only when everything of the import that leads to them has gone.
_STEPS: Mapping[str, Step] = {
    "consents": undo_records.answer_grants,
    "stops": undo_records.count_kept,
    "lists": undo_records.leave_lists,
    "lists_left": undo_records.return_to_lists,
    "events": undo_records.delete_events,
    "event_keys": undo_records.delete_event_keys,
    "orders": undo_records.delete_orders,
    "order_lines": undo_records.delete_order_lines,
    "products": undo_records.restore_products,
    "attributes": undo_people.restore_attributes,
    "members": undo_people.restore_members,
    "profiles": undo_people.let_go_of_profiles,
    "identities": undo_people.let_go_of_identities,
}


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What became of an import: `counts` names what went, what came back and what was kept, without the zeros."""

    batch_id: int
    kind: str
    file: str
    counts: Mapping[str, int] = field(default_factory=dict)


def undo_import(
    runtime: Runtime, workspace: Workspace, batch_id: int, *, now: datetime, progress: Progress
) -> UndoResult:
    """Undo the import with this number, or go on with it.

    Afterwards the same file may be imported again. Raises NotFoundError for a number that no import has, and
    ConflictError while the import runs or when it is undone already.
    """
    with runtime.database.read() as connection:
        batch = _get_batch(connection, batch_id)
    turn = Turn(runtime, batch_id, f"import {batch_id}")
    turn.take()
    try:
        with runtime.database.transaction() as connection:
            turn.renew(connection)
            batch = _get_batch(connection, batch_id)  # somebody else may have undone it since we looked
            values = {"status": BatchStatus.UNDOING.value}
            connection.execute(update(import_batch).where(import_batch.c.id == batch_id).values(**values))
        undoing = Undoing(runtime, workspace, batch_id, batch.started_at, now)
        counts = _run(undoing, turn, batch.counts, progress)
    finally:
        turn.release()
    return UndoResult(batch_id, batch.kind, batch.file, {name: count for name, count in counts.items() if count})


def _get_batch(connection: Connection, batch_id: int) -> Any:
    batch = connection.execute(select(import_batch).where(import_batch.c.id == batch_id)).one_or_none()
    if batch is None:
        raise NotFoundError(f"there is no import {batch_id}: `postilion import list` shows them.")
    if batch.status == BatchStatus.UNDONE:
        raise ConflictError(f"import {batch_id} is undone already: its file may be imported again.")
    return batch


def _run(undoing: Undoing, turn: Turn, stored: Mapping[str, Any], progress: Progress) -> Counter[str]:
    """All that remains to be undone; answers the counts since the first start."""
    state = stored.get("undo") or {"step": next(iter(_STEPS)), "after": None}
    counts: Counter[str] = Counter(state.get("counts", {}))
    document = dict(stored)
    looked_at = 0
    for name, step in _remaining(state["step"]):
        after = state["after"] if name == state["step"] else None
        while True:
            with undoing.runtime.database.transaction() as connection:
                turn.renew(connection)
                page = step(connection, undoing, after)
                counts.update(page.counts)
                # The keys of who has gone are destroyed before the checkpoint moves on: a killed undoing does it again.
                _save(connection, undoing, document, name, after if page.gone else page.after, counts)
            if page.gone:
                undoing.runtime.vault.destroy_all(page.gone)
                with undoing.runtime.database.transaction() as connection:
                    turn.renew(connection)
                    _save(connection, undoing, document, name, page.after, counts)
            looked_at += page.row_count
            progress(looked_at, None)
            if page.after is None:
                break
            after = page.after
    with undoing.runtime.database.transaction() as connection:
        turn.renew(connection)
        _close(connection, undoing, document)
    return counts


def _remaining(first: str) -> Iterator[tuple[str, Step]]:
    names = list(_STEPS)
    for name in names[names.index(first) :]:
        yield name, _STEPS[name]


def _save(
    connection: Connection, undoing: Undoing, document: dict[str, Any], step: str, after: Any, counts: Counter[str]
) -> None:
    document["undo"] = {"step": step, "after": after, "counts": dict(counts)}
    batch = import_batch.c.id == undoing.batch_id
    connection.execute(update(import_batch).where(batch).values(counts=document))


def _close(connection: Connection, undoing: Undoing, document: Mapping[str, Any]) -> None:
    """The notes are not needed any more, and the file's key is free for another import of it."""
    connection.execute(delete(import_change).where(import_change.c.batch_id == undoing.batch_id))
    batch = import_batch.c.id == undoing.batch_id
    values = {
        "status": BatchStatus.UNDONE.value,
        "undone_at": undoing.now,
        "key": content_hash(f"undone:{undoing.batch_id}"),
        "counts": {**document, "undo": {"counts": document["undo"]["counts"]}},
    }
    connection.execute(update(import_batch).where(batch).values(**values))
