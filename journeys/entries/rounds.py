"""Lets people in slot by slot: members of segments at a schedule's moments, profiles on their dates, and at the start.

A slot is walked by profile id in stretches of bounded length, each a transaction with the place that it came to: killed
between two, the next tick goes on there, and of two ticks at once one waits for the other. Whoever is found twice has
entered already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, delete, func, or_, select, true

from campaigns.schedule import LATEST_RUN
from core.database import upsert
from core.zones import known_zones
from customers.tables import ProfileStatus, profile
from journeys.admission import Candidate
from journeys.answers import Scene
from journeys.catalogue import Admitting
from journeys.entries.dates import is_kept_on
from journeys.entries.kinds import DateEntry, ScheduleEntry
from journeys.entries.slots import (
    Slot,
    due_at_start,
    due_on_dates,
    due_on_schedule,
    once_trigger_of,
    reopen,
    trigger_of,
)
from journeys.ingest import Ingested
from journeys.model import Edge, Journey, SegmentEntry
from journeys.tables import entry_slot
from journeys.triggers import default_zone_of, let_in
from segments.tables import membership

BATCH = 500
STRETCH = 20_000  # profile ids that one transaction looks at, so that a rare date holds nobody up
_HOUR = timedelta(hours=1)
_KEPT = timedelta(days=7)  # so long a finished slot is remembered; nothing is due later than a day
_WRITABLE = (ProfileStatus.ACTIVE.value, ProfileStatus.RESTRICTED.value)

TimedEntry = ScheduleEntry | DateEntry | SegmentEntry


@dataclass(frozen=True, slots=True)
class Round:
    """A slot that is due, and behind which profile it goes on."""

    admitting: Admitting
    entry: TimedEntry
    slot: Slot
    last: int = 0


def find_rounds(connection: Connection, scene: Scene) -> Iterator[Round]:
    """What is due and not through, what was begun first; costs one small read where there are such triggers at all."""
    doors = [
        (admitting, entry)
        for admitting in scene.catalogue.admitting
        for entry in admitting.journey.entries
        if isinstance(entry, ScheduleEntry | DateEntry) or (isinstance(entry, SegmentEntry) and entry.edge is Edge.ONCE)
    ]
    if not doors:
        return
    slugs = sorted({admitting.journey.slug for admitting, _ in doors})
    at_start = sorted({once_trigger_of(entry) for _, entry in doors if isinstance(entry, SegmentEntry)})
    column = entry_slot.c
    matters = or_(
        column.finished_at.is_(None), column.due_at > scene.now - LATEST_RUN - _HOUR, column.trigger.in_(at_start)
    )
    rows = connection.execute(select(entry_slot).where(column.journey.in_(slugs), matters).order_by(column.due_at))
    known = {(row.journey, row.trigger, row.occurrence, row.due_at): row for row in rows}
    fresh: list[Round] = []
    for admitting, entry in doors:
        zone = default_zone_of(scene, admitting.journey)
        due = {(slot.occurrence, slot.due_at): slot for slot in _due(admitting, entry, zone, scene)}
        for row in known.values():
            place = (row.occurrence, row.due_at)
            if (row.journey, row.trigger) != (admitting.journey.slug, _trigger(entry)) or row.finished_at is not None:
                continue
            slot = due.pop(place, None) or _reopened(entry, row.occurrence, row.due_at, zone)
            if slot is not None:
                yield Round(admitting, entry, slot, row.last_profile_id)
        fresh += [
            Round(admitting, entry, slot)
            for slot in due.values()
            if (admitting.journey.slug, slot.trigger, slot.occurrence, slot.due_at) not in known
        ]
    yield from sorted(fresh, key=lambda one: (one.slot.due_at, one.admitting.journey.slug, one.slot.trigger))


def enter_next(connection: Connection, scene: Scene) -> Ingested:
    """Let the next stretch of the first slot in, and remember how far that was."""
    following = next(find_rounds(connection, scene), None)
    if following is None:
        return Ingested()
    ids, behind = _next_people(connection, scene, following)
    journey, slot = following.admitting.journey, following.slot
    new, moved = let_in(connection, scene, [candidate_of(journey, following.entry, slot, number) for number in ids])
    row = {
        "journey": journey.slug,
        "trigger": slot.trigger,
        "occurrence": slot.occurrence,
        "due_at": slot.due_at,
        "last_profile_id": behind or following.last,
        "finished_at": None if behind is not None else scene.now,
    }
    key = ["journey", "trigger", "occurrence", "due_at"]
    upsert(connection, entry_slot, [row], key=key, update=["last_profile_id", "finished_at"])
    if behind is None and not isinstance(following.entry, SegmentEntry):
        _forget_old(connection, scene, following)
    return Ingested(0, len(new), moved, is_all=False)


def _due(admitting: Admitting, entry: TimedEntry, zone: ZoneInfo, scene: Scene) -> Iterator[Slot]:
    admissions = admitting.journey.admissions
    if isinstance(entry, SegmentEntry):
        slots = due_at_start(once_trigger_of(entry), admissions, admitting.began_at, zone)
        yield from (slot for slot in slots if slot.due_at <= scene.now)
        return
    if isinstance(entry, ScheduleEntry):
        slots = due_on_schedule(entry, zone, admitting.live_since, scene.now)
    else:
        slots = due_on_dates(entry, zone, scene.now)
    for slot in slots:
        clock = ZoneInfo(min(slot.zones)) if slot.zones and admissions.is_local else zone
        if admissions.is_open(slot.due_at, clock):
            yield slot


def _reopened(entry: TimedEntry, occurrence: str, due_at: datetime, zone: ZoneInfo) -> Slot | None:
    return None if isinstance(entry, SegmentEntry) else reopen(entry, occurrence, due_at, zone)


def _trigger(entry: TimedEntry) -> str:
    return once_trigger_of(entry) if isinstance(entry, SegmentEntry) else trigger_of(entry)


def candidate_of(journey: Journey, entry: TimedEntry, slot: Slot, profile_id: int) -> Candidate:
    """Somebody whom a slot of `entry` brings to the door."""
    occurrence = slot.occurrence
    if isinstance(entry, ScheduleEntry) and entry.number > 1 and slot.day is not None:
        occurrence = f"{occurrence}#{entry.number}"  # two triggers may mean the same day
    return Candidate(journey, entry, profile_id, "", occurrence, slot.trigger, slot.due_at)


def _next_people(connection: Connection, scene: Scene, following: Round) -> tuple[list[int], int | None]:
    """The next profiles of the slot, and the id behind which to go on; None when it is through."""
    entry, slot = following.entry, following.slot
    if not _has_people(connection, slot):
        return [], None
    query: Select[tuple[int]]
    if isinstance(entry, DateEntry):
        assert slot.day is not None
        number: ColumnElement[int] = profile.c.id
        workspace = scene.catalogue.world.workspace
        query = select(number).where(
            profile.c.status.in_(_WRITABLE), is_kept_on(entry, slot.day, workspace, scene.vault)
        )
        highest = select(func.max(number))
    else:
        number = membership.c.profile_id
        query = select(number).where(membership.c.segment == entry.segment)
        highest = select(func.max(number)).where(membership.c.segment == entry.segment)
        if slot.zones is not None:
            query = query.join(profile, profile.c.id == number)
        if isinstance(entry, SegmentEntry):
            query = query.where(membership.c.entered_at < max(slot.due_at, following.admitting.began_at))
    last = connection.execute(highest).scalar() or 0
    end = following.last + STRETCH
    query = query.where(number > following.last, number <= end, in_zones(slot)).order_by(number).limit(BATCH)
    ids = list(connection.scalars(query))
    if len(ids) == BATCH:
        return ids, ids[-1]
    return ids, end if end < last else None


def _has_people(connection: Connection, slot: Slot) -> bool:
    """Whether anybody may live in the slot's zones: most of the world's are nobody's."""
    if slot.zones is None or slot.takes_zoneless:
        return True
    inside = profile.c.timezone.in_(sorted(slot.zones))
    return connection.execute(select(profile.c.id).where(inside).limit(1)).first() is not None


def in_zones(slot: Slot) -> ColumnElement[bool]:
    """The condition that a profile's own clock is one of the slot's."""
    if slot.zones is None:
        return true()
    inside = profile.c.timezone.in_(sorted(slot.zones))
    if not slot.takes_zoneless:
        return inside
    return or_(inside, profile.c.timezone.is_(None), profile.c.timezone.not_in(sorted(known_zones())))


def _forget_old(connection: Connection, scene: Scene, following: Round) -> None:
    connection.execute(
        delete(entry_slot).where(
            entry_slot.c.journey == following.admitting.journey.slug,
            entry_slot.c.trigger == following.slot.trigger,
            entry_slot.c.finished_at.is_not(None),
            entry_slot.c.due_at < scene.now - _KEPT,
        )
    )
