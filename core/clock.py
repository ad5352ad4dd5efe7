"""The only place that asks what time it is.

Everything else is handed a clock, or an instant. All instants are time-zone aware UTC datetimes; `--now` and the demo
put a `ManualClock` where production has the `SystemClock`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """Stands still until it is told to move; never backwards, because no engine could undo what it did."""

    def __init__(self, start: datetime) -> None:
        self._now = in_utc(start)
        self._lock = Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> datetime:
        with self._lock:
            self._now += max(by, timedelta())
            return self._now

    def move_to(self, instant: datetime) -> datetime:
        with self._lock:
            self._now = max(self._now, in_utc(instant))
            return self._now


class ShiftedClock:
    """Runs as fast as the system's, but began at `start`: what `--now` sets."""

    def __init__(self, start: datetime) -> None:
        self._offset = in_utc(start) - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset


def in_utc(instant: datetime) -> datetime:
    """`instant` in UTC; one without a zone is refused, because guessing it is how people get mail at 3 a.m."""
    if instant.tzinfo is None:
        raise ValueError(f"the instant {instant.isoformat()} has no time zone")
    return instant.astimezone(UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
