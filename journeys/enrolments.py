"""Enrolments as rows: loaded under a lock, written back with their journal, sealed where they hold what people did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, select, update

from core.database import batches, insert_ignore
from core.errors import NotFoundError
from core.vault import Vault
from customers.tables import ProfileStatus
from journeys.model import Journey
from journeys.people import load_people
from journeys.questions import Person
from journeys.tables import EnrolmentStatus, enrolment, journal
from journeys.transition import Enrolment, JournalEntry

_SEALED = "enrolment.sealed_state"
_BATCH = 500


def insert_enrolments(connection: Connection, vault: Vault, new: Sequence[Enrolment]) -> set[str]:
    """Write enrolments that nobody has moved yet; answers the ids of those that were not there before."""
    vault.prepare(item.profile_id for item in new if item.entry)
    rows = [
        {
            "id": item.id,
            "journey": item.journey,
            "version": item.version,
            "profile_id": item.profile_id,
            "key": item.key,
            "status": item.status.value,
            "step": None,
            "state": dict(item.state),
            "sealed_state": _seal(vault, item),
            "entered_at": item.entered_at,
            "journal_seq": 0,
        }
        for item in new
    ]
    return {str(enrolment_id) for (enrolment_id,) in insert_ignore(connection, enrolment, rows, returning=["id"])}


def load_enrolments(
    connection: Connection, vault: Vault, enrolment_ids: Iterable[str], *, wait: bool = True
) -> dict[str, Enrolment]:
    """The enrolments, each locked until the transaction ends. Without `wait`, those that somebody else holds are left
    out: they are being moved.
    """
    rows: list[Row[Any]] = []
    for some in batches(sorted(set(enrolment_ids)), _BATCH):
        query = select(enrolment).where(enrolment.c.id.in_(some)).order_by(enrolment.c.id)
        rows += connection.execute(query.with_for_update(skip_locked=not wait))
    people = load_people(connection, {row.profile_id for row in rows if row.sealed_state is not None})
    living = {person.id for person in people.values() if person.status is not ProfileStatus.ERASED}
    vault.prepare(row.origin_profile_id or row.profile_id for row in rows if row.profile_id in living)
    return {row.id: _enrolment(vault, row, people) for row in rows}


def find_enrolments(connection: Connection, *where: ColumnElement[bool]) -> list[Row[Any]]:
    """Rows with the plain columns only, not locked."""
    columns = ("id", "journey", "version", "profile_id", "key", "status", "entered_at", "end_reason", "goal_at")
    return list(connection.execute(select(*(enrolment.c[name] for name in columns)).where(*where)))


def save_enrolments(
    connection: Connection, vault: Vault, moved: Sequence[Enrolment], journeys: Mapping[tuple[str, int], Journey]
) -> None:
    """Write back what the engine made of enrolments that this transaction holds."""
    if not moved:
        return
    names = (
        "status", "position", "step", "state", "sealed_state", "step_entered_at",
        "ended_at", "end_reason", "goal_at", "journal_seq",
    )  # fmt: skip
    statement = update(enrolment).where(enrolment.c.id == bindparam("b_id"))
    rows = []
    for item in moved:
        journey = journeys.get((item.journey, item.version))
        step = journey.by_id.get(item.step or "") if journey else None
        values: dict[str, Any] = {
            "status": item.status.value,
            "position": list(step.path) if step else None,
            "step": item.step,
            "state": dict(item.state),
            "sealed_state": _seal(vault, item),
            "step_entered_at": item.step_entered_at,
            "ended_at": item.ended_at,
            "end_reason": item.end_reason,
            "goal_at": item.goal_at,
            "journal_seq": item.journal_seq,
        }
        rows.append({f"b_{name}": values[name] for name in names} | {"b_id": item.id})
    connection.execute(statement.values({name: bindparam(f"b_{name}") for name in names}), rows)


def append_journal(
    connection: Connection, entries: Iterable[tuple[Enrolment, Sequence[JournalEntry]]], now: datetime
) -> None:
    """Append what each enrolment went through; `journal_seq` already counts it.

    Not an insert that may be repeated: the same number twice would mean that one enrolment was moved by two at once.
    """
    rows = [
        {"enrolment_id": item.id, "seq": seq, "at": now, "kind": entry.kind.value, "data": dict(entry.data)}
        for item, added in entries
        for seq, entry in enumerate(added, start=item.journal_seq - len(added) + 1)
    ]
    if rows:
        connection.execute(insert(journal), rows)


def _seal(vault: Vault, item: Enrolment) -> bytes | None:
    if item.end_reason == "erased" or not (item.entry or item.results):
        return None
    owner = item.origin_profile_id or item.profile_id
    return vault.seal_document(owner, _SEALED, {"entry": item.entry, "steps": item.results})


def _enrolment(vault: Vault, row: Row[Any], people: Mapping[int, Person]) -> Enrolment:
    opened: Mapping[str, Any] = {}
    person = people.get(row.profile_id)
    if row.sealed_state is not None and person is not None and person.status is not ProfileStatus.ERASED:
        try:
            opened = vault.open_document(row.origin_profile_id or row.profile_id, _SEALED, row.sealed_state)
        except NotFoundError:  # erased a moment ago
            opened = {}
    return Enrolment(
        id=row.id,
        journey=row.journey,
        version=row.version,
        profile_id=row.profile_id,
        key=row.key,
        entered_at=row.entered_at,
        status=EnrolmentStatus(row.status),
        step=row.step,
        state=row.state,
        entry=opened.get("entry", {}),
        results=opened.get("steps", {}),
        step_entered_at=row.step_entered_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        goal_at=row.goal_at,
        journal_seq=row.journal_seq,
        origin_profile_id=row.origin_profile_id,
    )
