"""When a campaign is sent: once, or again and again, on the workspace's clock or on each profile's own.

Pure. A wall clock becomes an instant by the one rule of `core.durations.at_local`: a clock that is skipped is shifted
forward, of one that is shown twice the first is meant. What was missed runs late if it is less than a day late, and of
several missed ones at most the latest; `misfire: skip` leaves missed ones out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from itertools import takewhile
from zoneinfo import ZoneInfo

from core.durations import at_local

LATEST_RUN = timedelta(hours=24)  # a missed moment lapses when it is this late
ON_TIME = timedelta(minutes=10)  # later than this is missed: the engine was down, and not just busy
_DEFAULT_CLOCK = time(9)
_EVERY_WEEKDAY = frozenset(range(7))
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# The first and the last place at which a date begins.
_FIRST_ZONE, _LAST_ZONE = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


class Every(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Misfire(StrEnum):
    LATEST = "latest"
    SKIP = "skip"


class NoTimezone(StrEnum):
    """What a local send does with a profile that has no zone of its own."""

    USE_DEFAULT = "use_default"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either one moment (`at`) or a rhythm (`every`); only occurrences in `[start, end)` count.

    Moments without a zone are on the wall clock: the workspace's, or with `is_local` each profile's own. `weekdays`
    counts from Monday as 0. A month that lacks `day` has no occurrence.
    """

    at: datetime | None = None
    every: Every | None = None
    clock: time = _DEFAULT_CLOCK
    weekdays: frozenset[int] = _EVERY_WEEKDAY
    day: int = 1
    start: datetime | None = None
    end: datetime | None = None
    is_local: bool = False
    no_timezone: NoTimezone = NoTimezone.USE_DEFAULT
    misfire: Misfire = Misfire.LATEST


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a campaign is sent. `launch_at` is when the first profile is due; `wall` is the clock of a local
    send, on which each profile is due.
    """

    launch_at: datetime
    wall: datetime | None = None

    @property
    def key(self) -> str:
        """What names it for ever: the local date and time, or the instant."""
        if self.wall is not None:
            return self.wall.isoformat(timespec="minutes")
        return self.launch_at.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @classmethod
    def of_key(cls, key: str) -> Occurrence:
        """The occurrence that `key` names."""
        moment = datetime.fromisoformat(key)
        return _local(moment) if moment.tzinfo is None else cls(moment.astimezone(UTC))


def iter_occurrences(schedule: Schedule, zone: ZoneInfo, since: datetime) -> Iterator[Occurrence]:
    """The occurrences from `since` on, in order of time; `zone` is the workspace's. Endless without `end`."""
    previous: datetime | None = None
    for occurrence in _candidates(schedule, zone, since):
        if schedule.end is not None and not _is_before(occurrence, schedule.end, zone):
            return
        early = schedule.start is not None and _is_before(occurrence, schedule.start, zone)
        # Where a whole date is skipped, two dates begin at one instant.
        again = previous is not None and occurrence.launch_at <= previous
        if occurrence.launch_at >= since and not early and not again:
            yield occurrence
            previous = occurrence.launch_at


def next_occurrence(schedule: Schedule, zone: ZoneInfo, after: datetime) -> Occurrence | None:
    """The first occurrence later than `after`."""
    return next((one for one in iter_occurrences(schedule, zone, after) if one.launch_at > after), None)


def due_occurrences(schedule: Schedule, zone: ZoneInfo, *, since: datetime, now: datetime) -> list[Occurrence]:
    """What is to be launched at `now` of everything from `since` on, whether it was launched already or not.

    At most one, unless the send is local: then an older date may still be due in zones further west, and
    `due_for_zone` says for whom.
    """
    too_late = now - LATEST_RUN
    if schedule.is_local:
        begun = _begun(schedule, zone, since, now)
        return [one for one in begun if one.wall is not None and one.wall.replace(tzinfo=_LAST_ZONE) > too_late]
    latest = None
    for latest in _begun(schedule, zone, since, now):  # noqa: B007 # the last one is what is asked for
        pass
    if latest is None or latest.launch_at <= too_late:
        return []
    is_late = now - latest.launch_at > ON_TIME
    return [] if is_late and schedule.misfire is Misfire.SKIP else [latest]


def due_for_zone(schedule: Schedule, occurrence: Occurrence, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When somebody in `zone` is due, not before `now`; None when the moment has passed there for good."""
    if occurrence.wall is None:
        return max(occurrence.launch_at, now)
    due_at = at_local(occurrence.wall.date(), occurrence.wall.time(), zone)
    following = following_wall(schedule, occurrence.wall)
    next_at = at_local(following.date(), following.time(), zone) if following is not None else None
    if next_at is not None and (next_at <= now or next_at == due_at):
        return None  # of several missed ones only the latest
    if due_at >= now:
        return due_at
    late = now - due_at
    return now if late < (ON_TIME if schedule.misfire is Misfire.SKIP else LATEST_RUN) else None


def _begun(schedule: Schedule, zone: ZoneInfo, since: datetime, now: datetime) -> Iterator[Occurrence]:
    """Those from `since` on whose launch is not in the future; long ago ones are not gone through one by one."""
    recent = max(since, now - LATEST_RUN - timedelta(days=3))
    return takewhile(lambda one: one.launch_at <= now, iter_occurrences(schedule, zone, recent))


def _candidates(schedule: Schedule, zone: ZoneInfo, since: datetime) -> Iterator[Occurrence]:
    if schedule.at is not None:
        yield _occurrence(schedule, schedule.at, zone)
    elif schedule.every is Every.HOUR:
        for instant in _hours(schedule.clock.minute, since, zone):
            if instant.astimezone(zone).weekday() in schedule.weekdays:
                yield Occurrence(instant)
    else:
        for day in _days(schedule, since.astimezone(zone).date() - 2 * _DAY):
            yield _occurrence(schedule, datetime.combine(day, schedule.clock), zone)


def _occurrence(schedule: Schedule, moment: datetime, zone: ZoneInfo) -> Occurrence:
    if moment.tzinfo is not None:
        return Occurrence(moment.astimezone(UTC))
    return _local(moment) if schedule.is_local else Occurrence(at_local(moment.date(), moment.time(), zone))


def _local(wall: datetime) -> Occurrence:
    return Occurrence(wall.replace(tzinfo=_FIRST_ZONE).astimezone(UTC), wall)


def following_wall(schedule: Schedule, wall: datetime) -> datetime | None:
    """The wall clock of the next occurrence of a local rhythm; None behind the last one."""
    if schedule.every is None:
        return None
    walls = (datetime.combine(day, schedule.clock) for day in _days(schedule, wall.date() + _DAY))
    following = next(walls)
    return None if schedule.end is not None and following >= schedule.end else following


def _days(schedule: Schedule, start: date) -> Iterator[date]:
    day = start
    while day < date.max - _DAY:
        is_day = day.day == schedule.day if schedule.every is Every.MONTH else day.weekday() in schedule.weekdays
        if is_day:
            yield day
        day += _DAY


def _hours(minute: int, since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Every instant from `since` on at which the clocks of `zone` show that minute of an hour."""
    instant = since.astimezone(UTC).replace(second=0, microsecond=0) - _HOUR
    while True:
        ahead = (minute - instant.astimezone(zone).minute) % 60
        instant += timedelta(minutes=ahead)
        if instant.astimezone(zone).minute == minute:  # a clock that changes by half an hour has moved on
            yield instant
            instant += timedelta(minutes=1)


def _is_before(occurrence: Occurrence, bound: datetime, zone: ZoneInfo) -> bool:
    """Whether an occurrence is earlier than `bound`, each on the clock that it is written on."""
    if bound.tzinfo is not None:
        return occurrence.launch_at < bound
    if occurrence.wall is not None:
        return occurrence.wall < bound
    return occurrence.launch_at < at_local(bound.date(), bound.time(), zone)
