"""The earliest instant at which somebody's clock on the wall shows what is wanted.

Pure. Between two changes of a zone's clocks local time runs like any other, so the question is asked of plain local
times, and asked anew at each change: a jump may open what was closed, a repeated hour may close it again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_HORIZON = timedelta(days=1_100)  # nothing is held for longer than three years

Seek = Callable[[datetime], datetime | None]
"""The earliest local time from the given one on that is wanted, as if clocks never changed; None when none is."""


def earliest(instant: datetime, zone: ZoneInfo, seek: Seek) -> datetime | None:
    """The earliest instant from `instant` (UTC) on whose wall clock in `zone` is wanted; None when none comes."""
    current, horizon = instant, instant + _HORIZON
    while current <= horizon:
        local = current.astimezone(zone).replace(tzinfo=None, fold=0)
        wanted = seek(local)
        if wanted is None or wanted - local > _HORIZON:
            return None
        candidate = current + (wanted - local)
        change = _first_change(current, candidate, zone)
        if change is None:
            return candidate
        current = change
    return None


def _first_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant in (start, end] at which the zone's offset changes."""
    while start < end:
        stop = min(start + _DAY, end)
        change = _change_within(start, stop, zone)
        if change is not None:
            return change
        start = stop
    return None


def _change_within(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """As `_first_change`, for at most a day, in which there is at most one."""
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return None
    low, high = start.replace(microsecond=0), end.replace(microsecond=0) + _SECOND
    while high - low > _SECOND:
        middle = low + ((high - low) // (2 * _SECOND)) * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
