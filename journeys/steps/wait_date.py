"""Until which instant `wait_until: {date: …}` stands still: a date of the profile's own or of the calendar. Pure.

A date means `time` on that day (09:00 unless the file says otherwise) on the person's own clock, an instant means
itself unless a `time` or weekdays are asked for. `offset` moves the day, and its hours the instant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.durations import Duration, add_calendar, at_local
from journeys.steps.contract import StepSpec

DEFAULT_CLOCK = time(9)
NO_OFFSET = Duration()

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class DateWait:
    """`source` is the name of an attribute or, with `is_attribute` False, an ISO date or instant."""

    source: str
    is_attribute: bool
    offset: Duration = NO_OFFSET
    clock: time | None = None
    weekdays: frozenset[int] = frozenset(range(7))
    exits_when_past: bool = False


def looks_like_date(text: str) -> bool:
    return _ISO_DATE.match(text) is not None


def check_date(spec: StepSpec, text: str, *path: str) -> None:
    """E133 where a date stands in the file that is none."""
    if parse_moment(text) is None:
        spec.report("E133", *path, message=f"there is no {text}", hint="look at the calendar")


def parse_moment(text: object) -> date | datetime | None:
    """What an attribute or a file says: a day, an instant (naive on the person's own clock), or None for neither."""
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text) if len(text.strip()) == 10 else datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def instant_of(moment: date | datetime, wanted: DateWait, zone: ZoneInfo) -> datetime:
    """The instant (UTC) that `wanted` means by `moment` for somebody whose clock runs in `zone`.

    Raises OverflowError or ValueError where that lies outside the calendar.
    """
    every_day = len(wanted.weekdays) == 7
    if isinstance(moment, datetime):
        local = at_local(moment.date(), moment.time(), zone) if moment.tzinfo is None else moment.astimezone(UTC)
        moved = add_calendar(local, wanted.offset, zone)
        if wanted.clock is None and every_day:
            return moved
        wall = moved.astimezone(zone)
        day, clock = wall.date(), wanted.clock or wall.time()
    else:
        clock = wanted.clock or DEFAULT_CLOCK
        moved = add_calendar(at_local(moment, clock, zone), wanted.offset, zone)
        if every_day:
            return moved
        wall = moved.astimezone(zone)
        day, clock = wall.date(), wall.time()
    while day.weekday() not in wanted.weekdays:
        day += timedelta(days=1)
    return at_local(day, clock, zone)
