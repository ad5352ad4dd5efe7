"""Lengths of time as a marketer writes them, and what they mean on the clock on the wall.

Days, weeks, months and years are calendar units in somebody's time zone; hours, minutes and seconds have
passed when they have passed. `24h` and `1d` therefore differ on the days on which the clocks change. Pure: no
clock is read.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.errors import InputError

MAX_DAYS = 36_525  # a century: anything longer is a slip, and would run past the last date that Python knows

_UNITS = {"y": "years", "mo": "months", "w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = r"(\d+)(mo|[ywdhms])"
_PARTS = re.compile(_PART)
_WHOLE = re.compile(rf"(?:{_PART})+", re.ASCII)


class InvalidDurationError(InputError):
    """The text is no duration."""

    @property
    def told(self) -> tuple[str, str]:
        """What is wrong, and the way out."""
        message, _, way_out = str(self).partition(", ")
        return message, way_out or "write 30m, 4h, 3d, 2w or 1mo"


class DurationOrderError(InvalidDurationError):
    """The units do not descend, or one stands twice; `ordered` is how it should be written, where that is clear."""

    def __init__(self, text: str, ordered: str) -> None:
        self.ordered = ordered
        super().__init__(f"the units of '{text}' must descend, each once: y mo w d h m s")


@dataclass(frozen=True, slots=True)
class Duration:
    """A date part (years to days) and an elapsed part (hours to seconds)."""

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0

    def as_elapsed(self) -> timedelta:
        """For conditions and caps: a day is 24 hours, a week 168, a month 30 days, a year 365."""
        days = 365 * self.years + 30 * self.months + 7 * self.weeks + self.days
        return timedelta(days=days) + self.elapsed_part

    @property
    def elapsed_part(self) -> timedelta:
        return timedelta(hours=self.hours, minutes=self.minutes, seconds=self.seconds)

    @property
    def has_date_part(self) -> bool:
        return bool(self.years or self.months or self.weeks or self.days)

    def __neg__(self) -> Duration:
        return replace(self, **{field.name: -getattr(self, field.name) for field in fields(self)})

    def __str__(self) -> str:
        """As it is written in YAML; no length at all is `0s`."""
        parts = [f"{abs(getattr(self, name))}{unit}" for unit, name in _UNITS.items() if getattr(self, name)]
        negative = any(getattr(self, name) < 0 for name in _UNITS.values())
        return ("-" if negative else "") + ("".join(parts) or "0s")


def parse_duration(text: str) -> Duration:
    """`1y2mo3w4d5h6m7s`: descending units, each at most once; `m` is a minute and `mo` a month.

    Raises `InvalidDurationError`, or `DurationOrderError` when only the order is wrong.
    """
    if not _WHOLE.fullmatch(text):
        raise InvalidDurationError(f"'{text}' is not a duration, write 30m, 4h, 3d, 2w or 1mo")
    parts = [(unit, digits) for digits, unit in _PARTS.findall(text)]
    units = [unit for unit, _ in parts]
    order = list(_UNITS)
    if units != [unit for unit in order if unit in units]:
        descending = sorted(parts, key=lambda part: order.index(part[0]))
        ordered = "".join(f"{digits}{unit}" for unit, digits in descending)
        raise DurationOrderError(text, ordered if len(set(units)) == len(units) else "")
    if any(len(digits.lstrip("0")) > 10 for _, digits in parts):
        raise InvalidDurationError(f"'{text}' is longer than a hundred years, write a shorter one")
    duration = Duration(**{_UNITS[unit]: int(digits) for unit, digits in parts})
    if duration.as_elapsed() > timedelta(days=MAX_DAYS):
        raise InvalidDurationError(f"'{text}' is longer than a hundred years, write a shorter one")
    return duration


def parse_offset(text: str) -> Duration:
    """A duration that may point backwards: `-3d` is three days before."""
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def add_calendar(start: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """The UTC instant `duration` after `start` (aware), for somebody whose clock runs in `zone`.

    The date part moves the calendar under an unmoved wall clock, months clamped to the end of the month and
    counted from `start`; then the elapsed part passes. A wall clock that is skipped or repeated is resolved
    as by `at_local`.
    """
    if not duration.has_date_part:
        return start.astimezone(UTC) + duration.elapsed_part
    wall = start.astimezone(zone)
    there = wall.date()
    if duration.years or duration.months:
        months = wall.year * 12 + wall.month - 1 + 12 * duration.years + duration.months
        year, month = months // 12, months % 12 + 1
        there = date(year, month, min(wall.day, monthrange(year, month)[1]))
    there += timedelta(duration.days + 7 * duration.weeks)
    instant = at_local(there, wall.time(), zone)
    return instant + duration.elapsed_part if duration.hours or duration.minutes or duration.seconds else instant


def at_local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The UTC instant at which the clocks of `zone` show `clock` on `day`.

    A clock that is skipped is shifted forward by the gap (02:30 becomes 03:30; on a skipped day, the same
    clock a day later); of a clock that is shown twice the first is meant. Both follow from the offset before
    the transition, which is what `fold=0` asks for (PEP 495).
    """
    return datetime.combine(day, clock.replace(fold=0), tzinfo=zone).astimezone(UTC)
