"""Send windows and closed days: in which local hours of which weekdays something may go out, and on which days nothing.

Pure. Both are written as text where a message keeps them: hours as `mon 08:00-12:00 14:00-20:00, tue 08:00-20:00`,
closed days as `2026-12-24T00:00/2026-12-27T00:00`. All intervals are half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from delivery.wall_clock import earliest

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_MIDNIGHT = datetime.min.time()

Range = tuple[int, int]  # minutes since midnight, half-open
Week = tuple[tuple[Range, ...], ...]  # Monday first


@dataclass(frozen=True, slots=True)
class SendHours:
    """When it may go out: in a range of `week` (None: at any hour), and in no stretch of local time that is closed."""

    week: Week | None = None
    closed: tuple[tuple[datetime, datetime], ...] = ()

    def seek_open(self, local: datetime) -> datetime | None:
        """The earliest local time from `local` on that is open; None when there is none."""
        while True:
            opened = self._seek_hours(self._after_closed(local))
            if opened is None or opened == local:
                return opened
            local = opened

    def _after_closed(self, local: datetime) -> datetime:
        ends = [end for start, end in self.closed if start <= local < end]
        return self._after_closed(max(ends)) if ends else local

    def _seek_hours(self, local: datetime) -> datetime | None:
        if self.week is None:
            return local
        for days in range(8):
            date = local.date() + timedelta(days=days)
            midnight = datetime.combine(date, _MIDNIGHT)
            for start, end in self.week[date.weekday()]:
                if local < midnight + timedelta(minutes=end):
                    return max(local, midnight + timedelta(minutes=start))
        return None


@dataclass(frozen=True, slots=True)
class Closed:
    """Local time [start, end) in which nothing goes out; without channels over none."""

    start: datetime
    end: datetime
    channels: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.start.isoformat(timespec='minutes')}/{self.end.isoformat(timespec='minutes')}"


def opens_at(instant: datetime, hours: SendHours, zone: ZoneInfo) -> datetime | None:
    """The earliest instant from `instant` (UTC) on at which it is open by the clocks of `zone`; None when never."""
    return earliest(instant, zone, hours.seek_open)


def write_window(window: Mapping[str, Sequence[str]]) -> str:
    """Ranges by weekday, as `send_window` has them for one channel, in one line; empty when it never opens."""
    days = ((day, window.get(day, ())) for day in WEEKDAYS)
    return ", ".join(f"{day} {' '.join(ranges)}" for day, ranges in days if ranges)


@lru_cache(maxsize=1024)
def read_hours(window: str | None, closed: tuple[str, ...]) -> SendHours:
    """What `write_window` has written, and closed days as text; a window of None is open at any hour."""
    stretches = []
    for one in closed:
        start, _, end = one.partition("/")
        stretches.append((datetime.fromisoformat(start), datetime.fromisoformat(end)))
    return SendHours(None if window is None else _read_week(window), tuple(sorted(stretches)))


def _read_week(window: str) -> Week:
    week: list[list[Range]] = [[] for _ in WEEKDAYS]
    for part in filter(None, window.split(", ")):
        day, *ranges = part.split(" ")
        place = WEEKDAYS.index(day)
        for text in ranges:
            start, end = map(_minutes, text.split("-"))
            if start < end:
                week[place].append((start, end))
            elif end < start:  # over midnight: the rest belongs to the next day
                week[place].append((start, _DAY_MINUTES))
                week[(place + 1) % 7].append((0, end))
    return tuple(tuple(sorted(_not_empty(ranges))) for ranges in week)


def _not_empty(ranges: Iterable[Range]) -> Iterable[Range]:
    return (one for one in ranges if one[0] < one[1])


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
