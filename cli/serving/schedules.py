"""A campaign's `send:` as a schedule that Prefect keeps: an interval, a cron line or a calendar rule (RFC 5545).

Pure. A schedule says only when to look: `campaigns/due.py` decides from our own records what is launched. A local send
is looked for when its clock strikes at the first place on earth, UTC+14; launched then, each message waits in the
ledger for the clock of its own person. Where clocks change, cron and calendar may strike up to an hour off
`campaigns/schedule.py`; what they miss, `overdue.py` finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.schedule import LATEST_RUN, Every, Schedule, iter_occurrences, next_occurrence

EARLIEST_ZONE = ZoneInfo("Etc/GMT-14")  # POSIX turns the sign round: this is UTC+14

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_RECURRENCE = {Every.HOUR: "HOURLY", Every.DAY: "DAILY", Every.WEEK: "WEEKLY", Every.MONTH: "MONTHLY"}


@dataclass(frozen=True, slots=True)
class Interval:
    """At `anchor` and every `every` after it."""

    every: timedelta
    anchor: datetime


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields on the wall clock of `zone`."""

    line: str
    zone: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """DTSTART and RRULE, both on the wall clock of `zone`."""

    rule: str
    zone: str


Timing = Interval | Cron | Calendar


def timing_of(schedule: Schedule, zone: ZoneInfo, *, since: datetime, now: datetime) -> Timing | None:
    """When to look for occurrences of `schedule`, a rhythm that begins at `since`; None when it is over for good.

    `zone` is the workspace's. An hourly send is an interval; a daily or weekly one a cron line; a single moment, a
    monthly send and everything that has a first or a last day are calendar rules.
    """
    first = next(iter_occurrences(schedule, zone, since if schedule.every else _EVER), None)
    if first is None or next_occurrence(schedule, zone, max(first.launch_at, now) - LATEST_RUN) is None:
        return None
    if schedule.every is None:
        return Calendar(f"DTSTART:{first.launch_at:%Y%m%dT%H%M%S}\nRRULE:FREQ=DAILY;COUNT=1", "UTC")
    clock_zone = EARLIEST_ZONE if schedule.is_local else zone
    if schedule.every is Every.MONTH or schedule.start is not None or schedule.end is not None:
        return Calendar(_rule(schedule, first.launch_at.astimezone(clock_zone), clock_zone), clock_zone.key)
    if schedule.every is Every.HOUR and len(schedule.weekdays) == len(_WEEKDAYS):
        return Interval(timedelta(hours=1), first.launch_at)
    hour = "*" if schedule.every is Every.HOUR else str(schedule.clock.hour)
    return Cron(f"{schedule.clock.minute} {hour} * * {_cron_days(schedule)}", clock_zone.key)


def in_words(schedule: Schedule, zone: ZoneInfo) -> str:
    """The rhythm as a marketer would say it: `every Wednesday at 09:00, Europe/London`."""
    place = "each person's own clock" if schedule.is_local else zone.key
    if schedule.every is None:
        assert schedule.at is not None  # a schedule has one of the two
        return f"once, on {schedule.at:%Y-%m-%d at %H:%M}, {place}"
    at = f"at {schedule.clock:%H:%M}"
    match schedule.every:
        case Every.HOUR:
            rhythm = f"every hour at minute {schedule.clock.minute}" + _only_on(schedule)
        case Every.MONTH:
            rhythm = f"every month on day {schedule.day} {at}"
        case _ if len(schedule.weekdays) == len(_WEEKDAYS):
            rhythm = f"every day {at}"
        case _:
            rhythm = f"every {_days_in_words(schedule)} {at}"
    start = f", from {schedule.start:%Y-%m-%d}" if schedule.start else ""
    end = f", until {schedule.end:%Y-%m-%d}" if schedule.end else ""
    return f"{rhythm}, {place}{start}{end}"


def _rule(schedule: Schedule, first: datetime, zone: ZoneInfo) -> str:
    """`first` is the first occurrence on the wall clock of `zone`."""
    assert schedule.every is not None
    parts = [f"FREQ={_RECURRENCE[schedule.every]}"]
    if schedule.every is Every.MONTH:
        parts.append(f"BYMONTHDAY={schedule.day}")
    elif len(schedule.weekdays) < len(_WEEKDAYS):
        parts.append(f"BYDAY={','.join(_WEEKDAYS[day][:2].upper() for day in sorted(schedule.weekdays))}")
    parts += [f"BYMINUTE={schedule.clock.minute}", "BYSECOND=0"]
    if schedule.every is not Every.HOUR:
        parts.append(f"BYHOUR={schedule.clock.hour}")
    if schedule.end is not None:
        wall = schedule.end.astimezone(zone) if schedule.end.tzinfo is not None else schedule.end
        parts.append(f"UNTIL={wall - timedelta(seconds=1):%Y%m%dT%H%M%S}")  # UNTIL is inclusive, `to` is not
    return f"DTSTART:{first:%Y%m%dT%H%M%S}\nRRULE:{';'.join(parts)}"


def _cron_days(schedule: Schedule) -> str:
    if len(schedule.weekdays) == len(_WEEKDAYS):
        return "*"
    return ",".join(_WEEKDAYS[day][:3] for day in sorted(schedule.weekdays))


def _days_in_words(schedule: Schedule) -> str:
    names = [_WEEKDAYS[day].capitalize() for day in sorted(schedule.weekdays)]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _only_on(schedule: Schedule) -> str:
    return "" if len(schedule.weekdays) == len(_WEEKDAYS) else f" on {_days_in_words(schedule)}"
