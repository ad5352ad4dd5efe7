"""When people shop: the year, the week and the hours of a day.

A renewal process runs in *shop days*, which pass faster in busy weeks; `Seasons` turns them into real days, and
`at_local_hours` gives each day a time at which people in that zone are awake.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

DAY: Final = 86_400
WINDOW_DAYS: Final = 425

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# January to December: bulbs and seeds in spring, presents before Christmas
_MONTHS: Final = (0.80, 0.85, 1.05, 1.20, 1.20, 1.00, 0.85, 0.80, 0.95, 1.05, 1.35, 1.40)
_WEEKDAYS: Final = (1.05, 1.00, 0.95, 0.95, 0.90, 0.95, 1.20)  # Monday to Sunday
HOURS: Final = np.array(
    [3, 1, 1, 1, 1, 2, 6, 14, 22, 30, 36, 40, 50, 44, 36, 34, 34, 38, 44, 58, 72, 66, 36, 12], dtype=float
)


class Seasons:
    """The window of `WINDOW_DAYS` that ends with `now`; a busy day lasts longer than a day in shop time."""

    def __init__(self, now: datetime) -> None:
        self.end = now.astimezone(UTC)
        self.start = (self.end - timedelta(days=WINDOW_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [self.start + timedelta(days=n) for n in range((self.end - self.start).days + 1)]
        weight = np.array([_MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()] for day in days])
        self._elapsed = np.concatenate([[0.0], np.cumsum(weight / weight.mean())])
        self._days = np.arange(len(self._elapsed), dtype=float)
        self.length = float(self._elapsed[-1])
        self.months: Ints = np.array([day.month for day in days], dtype=np.int64)

    def shop_time(self, days: Floats) -> Floats:
        """Shop days that have passed `days` after the start of the window."""
        passed: Floats = np.interp(days, self._days, self._elapsed)
        return passed

    def real_days(self, shop_time: Floats) -> Floats:
        """The inverse of `shop_time`."""
        days: Floats = np.interp(shop_time, self._elapsed, self._days)
        return days


def at_local_hours(rng: np.random.Generator, seasons: Seasons, days: Floats, zones: list[str]) -> Ints:
    """Unix seconds on the given days of the window, at a likely hour of each row's zone, before the window's end."""
    day = np.floor(days).astype(np.int64)
    hours = rng.choice(24, size=len(day), p=HOURS / HOURS.sum())
    clock = hours * 3600 + rng.integers(0, 3600, size=len(day))
    names, index = np.unique(np.array(zones), return_inverse=True)
    first, last = int(seasons.start.timestamp()), int(seasons.end.timestamp())
    seconds = first + day * DAY + clock - _offsets(seasons, names.tolist())[index, day]
    late = seconds >= last
    seconds[late] = last - 1 - (seconds[late] - last) % (8 * 3600)
    return np.maximum(seconds, first)


def _offsets(seasons: Seasons, zones: list[str]) -> Ints:
    """Seconds east of UTC at noon, by zone and day of the window."""
    noons = [seasons.start + timedelta(days=n, hours=12) for n in range(len(seasons.months))]
    rows = []
    for zone in zones:
        info = ZoneInfo(zone)
        rows.append([int((noon.astimezone(info).utcoffset() or timedelta()).total_seconds()) for noon in noons])
    return np.array(rows, dtype=np.int64)
