"""Pace: calls spaced evenly below the provider's rate, so that no sliding second ever holds more than it allows.

Even spacing also leaves no burst for a provider's small bucket to refuse. One process; several share a provider's rate
by being given their part of it.
"""

from __future__ import annotations

import time
from threading import Lock

_TARGET = 0.95  # of the quota, because the provider's clock is not ours
_FIRST_RATE = 10.0  # recipients a second, where a provider that names no rate asks us to slow down


class Throttle:
    """Thread-safe; `rate` in recipients a second, None for unlimited."""

    def __init__(self, rate: float | None) -> None:
        self._lock = Lock()
        self._rate = rate
        self._next_at = 0.0

    def set_rate(self, rate: float | None) -> None:
        with self._lock:
            self._rate = rate

    def halve(self) -> None:
        """The provider said it was too fast; the next reading of its quota sets the rate anew."""
        with self._lock:
            self._rate = _FIRST_RATE if self._rate is None else max(1.0, self._rate / 2)

    def wait(self) -> float:
        """Block until one more recipient may be sent to; answers the seconds waited."""
        with self._lock:
            if self._rate is None:
                return 0.0
            now = time.monotonic()
            at = max(now, self._next_at)
            self._next_at = at + 1 / (self._rate * _TARGET)
        pause = at - now
        if pause > 0:
            time.sleep(pause)
        return pause
