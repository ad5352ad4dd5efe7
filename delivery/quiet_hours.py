"""Quiet hours: a wall-clock interval in somebody's zone, half-open and possibly overnight (`22:00` to `08:00`).

Pure. The rules for days on which clocks change are those of docs/journeys.md: a jump over the end opens the interval,
a repeated hour closes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    start: time
    end: time

    def contains(self, clock: time) -> bool:
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


def quiet_until(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime | None:
    """The earliest instant from `instant` (UTC) on whose wall clock in `zone` is outside; None when it is already."""
    current = instant
    while quiet.contains(current.astimezone(zone).time()):
        local = current.astimezone(zone)
        end = datetime.combine(local.date(), quiet.end)
        wait = (end - local.replace(tzinfo=None)) % _DAY
        candidate = current + wait
        change = _clock_change(current, candidate, zone)
        if change is None:
            return candidate
        current = change
    return None if current == instant else current


def _clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant in (start, end] at which the zone's offset changes; less than a day apart, so at most one exists."""
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return None
    second = timedelta(seconds=1)
    low, high = start.replace(microsecond=0), end.replace(microsecond=0) + second
    while high - low > second:
        middle = low + ((high - low) // (2 * second)) * second
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
