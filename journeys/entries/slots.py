"""When people enter by a schedule, by a date or at the start of a journey: occurrences, and their slots.

An occurrence is one day or one instant. Where each person's own clock counts, it has a slot for each instant at which
that clock shows the moment somewhere; otherwise it has one. Each slot is gone through once, whatever happens. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from campaigns.schedule import (
    LATEST_RUN,
    Occurrence,
    Schedule,
    due_for_zone,
    due_occurrences,
    following_wall,
    iter_occurrences,
)
from core.durations import at_local
from journeys.entries.kinds import Admissions, DateEntry, ScheduleEntry
from journeys.entries.zones import zones_at
from journeys.model import SegmentEntry

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_AROUND_THE_WORLD = timedelta(hours=26)  # from the first place at which a date begins to the last
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """The people of `zones` are due at `due_at`; None is everybody. `occurrence` names it within the trigger.

    `day` is the date on the wall, where there is one; `takes_zoneless` tells that those without a zone belong to it.
    """

    trigger: str
    occurrence: str
    due_at: datetime
    zones: frozenset[str] | None = None
    takes_zoneless: bool = True
    day: date | None = None


def due_on_schedule(entry: ScheduleEntry, default: ZoneInfo, live_since: datetime, now: datetime) -> Iterator[Slot]:
    """What `entry` has due at `now`, whether it was gone through or not, of a journey that is live since `live_since`.

    A rhythm begins when it is published, a single moment that has just passed is late. `default` is the journey's zone.
    """
    schedule = entry.schedule
    since = _LONG_AGO if schedule.every is None else live_since
    if schedule.is_local and schedule.every is not None:
        since -= _AROUND_THE_WORLD  # somewhere the moment may still lie ahead
    for occurrence in due_occurrences(schedule, default, since=since, now=now):
        for slot in slots_of(entry, occurrence, default):
            has_begun = schedule.every is None or slot.due_at >= live_since
            if has_begun and slot.due_at <= now and _is_in_time(schedule, occurrence, slot, now):
                yield slot


@lru_cache(maxsize=256)
def slots_of(entry: ScheduleEntry, occurrence: Occurrence, default: ZoneInfo) -> tuple[Slot, ...]:
    """Every slot of one occurrence, earliest first. On a date that a zone leaves out, its people wait for the next."""
    if occurrence.wall is None:
        return (Slot(trigger_of(entry), occurrence.key, occurrence.launch_at),)
    return tuple(_local_slots(entry, occurrence.wall, default))


def _local_slots(entry: ScheduleEntry, wall: datetime, default: ZoneInfo) -> Iterator[Slot]:
    trigger, following = trigger_of(entry), following_wall(entry.schedule, wall)
    for due_at, names in zones_at(wall.date(), wall.time()):
        zones = names if following is None else _without(names, following, due_at)
        if zones:
            yield Slot(trigger, wall.date().isoformat(), due_at, zones, default.key in zones, wall.date())


def due_on_dates(entry: DateEntry, default: ZoneInfo, now: datetime) -> Iterator[Slot]:
    """The dates that are kept somewhere at `now`, or were within the last day."""
    elapsed = entry.offset.elapsed_part
    today = (now - elapsed).astimezone(UTC).date()
    for day in (today + offset * _DAY for offset in (-2, -1, 0, 1)):
        for due_at, zones in zones_at(day, entry.clock):
            if now - LATEST_RUN < due_at + elapsed <= now:
                occurrence = occurrence_of(entry, day)
                yield Slot(trigger_of(entry), occurrence, due_at + elapsed, zones, default.key in zones, day)


def due_of_date(entry: DateEntry, day: date, zone: ZoneInfo) -> datetime:
    """When somebody in `zone` is due whose date is kept on `day`."""
    return at_local(day, entry.clock, zone) + entry.offset.elapsed_part


def next_due(entry: ScheduleEntry | DateEntry, default: ZoneInfo, after: datetime) -> datetime | None:
    """The first instant later than `after` at which somebody may be due, wherever people live."""
    if isinstance(entry, DateEntry):
        elapsed = entry.offset.elapsed_part
        today = (after - elapsed).astimezone(UTC).date()
        moments = (due_at for step in range(-2, 3) for due_at, _ in zones_at(today + step * _DAY, entry.clock))
        return min(moment + elapsed for moment in moments if moment + elapsed > after)
    first: datetime | None = None
    for occurrence in iter_occurrences(entry.schedule, default, after - _AROUND_THE_WORLD):
        if first is not None and occurrence.launch_at > first:
            break
        ahead = (slot.due_at for slot in slots_of(entry, occurrence, default) if slot.due_at > after)
        first = min((one for one in (first, next(ahead, None)) if one is not None), default=None)
    return first


def due_at_start(trigger: str, admissions: Admissions, started_at: datetime, default: ZoneInfo) -> Iterator[Slot]:
    """The start of a journey: when it was published, or when it begins to admit people."""
    start = admissions.start
    occurrence = occurrence_of_start(trigger, started_at)
    if start is None or not admissions.is_local:
        yield Slot(trigger, occurrence, max(started_at, admissions.starts_at(default)))
        return
    for due_at, zones in zones_at(start.date(), start.time()):
        yield Slot(trigger, occurrence, due_at, zones, default.key in zones)


def reopen(entry: ScheduleEntry | DateEntry, occurrence: str, due_at: datetime, default: ZoneInfo) -> Slot | None:
    """The slot that was begun under this name; None when the trigger has another clock by now."""
    if isinstance(entry, DateEntry):
        day = date.fromisoformat(occurrence.rpartition(":")[2])
        moment = due_at - entry.offset.elapsed_part
        zones = dict(zones_at(day, entry.clock)).get(moment)
        return None if zones is None else Slot(trigger_of(entry), occurrence, due_at, zones, default.key in zones, day)
    schedule = entry.schedule
    if not schedule.is_local:
        return Slot(trigger_of(entry), occurrence, due_at)
    clock = schedule.clock if schedule.at is None else schedule.at.time()
    whole = Occurrence.of_key(f"{occurrence}T{clock.isoformat(timespec='minutes')}")
    return next((slot for slot in slots_of(entry, whole, default) if slot.due_at == due_at), None)


def occurrence_of_start(trigger: str, started_at: datetime) -> str:
    return f"{trigger}@{started_at.isoformat()}"


def once_trigger_of(entry: SegmentEntry) -> str:
    return f"once:{entry.segment}"


def trigger_of(entry: ScheduleEntry | DateEntry) -> str:
    return f"schedule:{entry.number}" if isinstance(entry, ScheduleEntry) else f"date:{entry.attribute}"


def occurrence_of(entry: DateEntry, day: date) -> str:
    """The key of a date: the attribute and the day on which it is kept."""
    return f"{entry.attribute}:{day.isoformat()}"


def _is_in_time(schedule: Schedule, occurrence: Occurrence, slot: Slot, now: datetime) -> bool:
    if slot.zones is None:
        return True  # `due_occurrences` has asked
    return due_for_zone(schedule, occurrence, ZoneInfo(min(slot.zones)), now) is not None


def _without(zones: frozenset[str], following: datetime, due_at: datetime) -> frozenset[str]:
    """Those of `zones` whose clocks do not show the next occurrence at the same instant, having left a day out."""
    return zones - frozenset(
        name for name in zones if at_local(following.date(), following.time(), ZoneInfo(name)) == due_at
    )
