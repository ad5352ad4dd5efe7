"""Everything that is recorded of one person in one journey, read once: runs, their journals and messages, refusals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from core.database import batches
from core.definitions import definition, get_definition
from core.zones import find_zone
from customers.tables import customer_event
from customers.workspace import Workspace
from delivery.tables import OriginKind, message
from journeys.explaining.refused import read_causes, refusal_in_words
from journeys.people import load_people
from journeys.steps.contract import Step, iter_steps
from journeys.tables import enrolment, entry_refusal, journal, timer
from journeys.transition import JournalKind, TimerKind
from journeys.wording.steps import step_data
from journeys.wording.versions import Version, read_version

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Passage:
    """One run. `messages` are its rows of the send ledger by id, `events` the events that it speaks of; `due_at` is
    when the step where it stands acts by itself. `version` is the one it is on now.
    """

    number: int
    row: Row[Any]
    version: Version | None
    entries: Sequence[Row[Any]]
    messages: Mapping[str, Row[Any]]
    events: Mapping[int, Row[Any]]
    due_at: datetime | None = None
    versions: Mapping[int, Version | None] = field(default_factory=dict)

    def chapters(self) -> Iterator[tuple[Passage, Row[Any]]]:
        """Each entry, with the passage as it was then: on the version of that time."""
        moves = [entry for entry in self.entries if entry.kind == JournalKind.MIGRATED]
        number = moves[0].data["before"] if moves else self.row.version
        for entry in self.entries:
            if entry.kind == JournalKind.MIGRATED:
                number = entry.data["version"]
            yield replace(self, version=self.versions.get(number)), entry

    @property
    def steps(self) -> Mapping[str, Step]:
        return {} if self.version is None else {one.id: one for one in iter_steps(self.version.journey.steps)}

    def data_of(self, step_id: str) -> Mapping[str, Any]:
        """What the file said of a step; {} when the version cannot be read any more."""
        step = self.steps.get(step_id)
        return {} if step is None or self.version is None else step_data(self.version.document, step.path)


@dataclass(frozen=True, slots=True)
class Story:
    """`zone` is the person's, else the journey's, else the workspace's; `owns_zone` says whether it is the person's.

    Each refusal stands with its sentence.
    """

    profile_id: int
    journey: str
    zone: ZoneInfo
    owns_zone: bool
    passages: Sequence[Passage]
    refusals: Sequence[tuple[Row[Any], str]]


def read_story(connection: Connection, workspace: Workspace, profile_id: int, journey: str) -> Story:
    """Raises NotFoundError when no journey of that name was ever published."""
    rows = connection.execute(
        select(enrolment)
        .where(enrolment.c.profile_id == profile_id, enrolment.c.journey == journey)
        .order_by(enrolment.c.entered_at, enrolment.c.journal_seq, enrolment.c.id)
    ).all()
    if not rows:
        _require(connection, journey)
    ids = [row.id for row in rows]
    entries, messages = _entries(connection, ids), _messages(connection, [row.uid for row in rows])
    due = _due(connection, ids)
    events = _events(connection, [entry for some in entries.values() for entry in some])
    refusals = read_refusals(connection, profile_id, journey)
    numbers = {row.version for row in [*rows, *refusals] if row.version is not None} | {
        number for some in entries.values() for number in _left_behind(some)
    }
    versions = {number: read_version(connection, journey, number) for number in sorted(numbers)}
    zone, owns_zone = _zone(connection, workspace, profile_id, [one for one in versions.values() if one is not None])
    passages = [
        Passage(
            number, row, versions[row.version], entries[row.id], messages[row.uid], events, due.get(row.id), versions
        )
        for number, row in enumerate(rows, start=1)
    ]
    causes = read_causes(connection, refusals)
    refused = [
        (one, refusal_in_words(one, versions.get(one.version or 0), rows, causes.get(one.event_id or 0), zone))
        for one in refusals
    ]
    return Story(profile_id, journey, zone, owns_zone, passages, refused)


def _left_behind(entries: Sequence[Row[Any]]) -> Iterator[int]:
    """The versions that a run was on before it was taken over to others."""
    for entry in entries:
        if entry.kind == JournalKind.MIGRATED:
            yield from (entry.data["before"], entry.data["version"])


def read_refusals(connection: Connection, profile_id: int, journey: str) -> Sequence[Row[Any]]:
    """Every time this person came to the door and was not let in, oldest first."""
    query = select(entry_refusal).where(entry_refusal.c.profile_id == profile_id, entry_refusal.c.journey == journey)
    return connection.execute(query.order_by(entry_refusal.c.at, entry_refusal.c.id)).all()


def _require(connection: Connection, journey: str) -> None:
    known = select(definition.c.version).where(definition.c.kind == "journey", definition.c.slug == journey)
    if connection.execute(known.limit(1)).first() is None:
        get_definition(connection, "journey", journey)


def _entries(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for some in batches(list(ids), _BATCH):
        query = select(journal).where(journal.c.enrolment_id.in_(some))
        for row in connection.execute(query.order_by(journal.c.enrolment_id, journal.c.seq)):
            found[row.enrolment_id].append(row)
    return found


def _messages(connection: Connection, uids: Sequence[str]) -> Mapping[str, dict[str, Row[Any]]]:
    found: dict[str, dict[str, Row[Any]]] = defaultdict(dict)
    for some in batches(list(uids), _BATCH):
        query = select(message).where(message.c.origin_id.in_(some), message.c.origin_kind == OriginKind.JOURNEY.value)
        for row in connection.execute(query.order_by(message.c.created_at, message.c.id)):
            found[row.origin_id][row.id] = row
    return found


def _due(connection: Connection, ids: Sequence[int]) -> Mapping[int, datetime]:
    found: dict[int, datetime] = {}
    for some in batches(list(ids), _BATCH):
        query = select(timer.c.enrolment_id, timer.c.due_at).where(timer.c.kind == TimerKind.STEP.value)
        found.update(connection.execute(query.where(timer.c.enrolment_id.in_(some))).tuples().all())
    return found


def _events(connection: Connection, entries: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    kinds = (JournalKind.GOAL, JournalKind.LATE_FOR_WAIT)
    ids = sorted({row.data["event"] for row in entries if row.kind in kinds and "event" in row.data})
    found = {}
    for some in batches(ids, _BATCH):
        columns = (
            customer_event.c.id,
            customer_event.c.name,
            customer_event.c.occurred_at,
            customer_event.c.received_at,
        )
        found.update({row.id: row for row in connection.execute(select(*columns).where(customer_event.c.id.in_(some)))})
    return found


def _zone(
    connection: Connection, workspace: Workspace, profile_id: int, versions: Sequence[Version]
) -> tuple[ZoneInfo, bool]:
    person = load_people(connection, [profile_id]).get(profile_id)
    own = find_zone(person.timezone or "") if person is not None else None
    stated = next((one.journey.timezone for one in reversed(versions) if one.journey.timezone), None)
    return own or find_zone(stated or "") or ZoneInfo(workspace.timezone), own is not None
