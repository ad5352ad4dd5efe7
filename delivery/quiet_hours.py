"""Quiet hours: a wall-clock interval in somebody's zone, half-open and possibly overnight (`22:00` to `08:00`).

Pure. The rules for days on which clocks change are those of docs/journeys.md: a jump over the end opens the interval,
a repeated hour closes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from delivery.wall_clock import earliest

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    start: time
    end: time

    def contains(self, clock: time) -> bool:
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def seek_outside(self, local: datetime) -> datetime:
        """The earliest local time from `local` on that is outside."""
        if not self.contains(local.time()):
            return local
        return local + (datetime.combine(local.date(), self.end) - local) % _DAY


def quiet_until(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime | None:
    """The earliest instant from `instant` (UTC) on whose wall clock in `zone` is outside; None when it is already."""
    opened = earliest(instant, zone, quiet.seek_outside)
    return None if opened == instant else opened
