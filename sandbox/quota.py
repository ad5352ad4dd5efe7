"""The send quota, counted in recipients as SES counts: a rate a second and an amount in any 24 hours.

As in SES a call to many recipients passes while anything is left, and the debt is paid by those that follow.
The rate is measured on the monotonic clock it is handed, the day on the sandbox's own clock.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from enum import StrEnum

DAY = timedelta(hours=24)
GRAIN = timedelta(minutes=1)


class Allowance(StrEnum):
    GRANTED = "granted"
    RATE_EXCEEDED = "Maximum sending rate exceeded."
    DAY_EXCEEDED = "Daily message quota exceeded."


class Quota:
    """`max_send_rate` recipients a second with a burst of `burst_seconds`, `max_24_hour_send` a day; -1 is
    unlimited.
    """

    def __init__(self, max_send_rate: float, max_24_hour_send: float, burst_seconds: float) -> None:
        self.max_send_rate = max_send_rate
        self.max_24_hour_send = max_24_hour_send
        self._capacity = max(1.0, max_send_rate * burst_seconds)
        self.forget()

    def forget(self) -> None:
        self._tokens = self._capacity
        self._filled_s: float | None = None
        self._sent: deque[tuple[datetime, int]] = deque()
        self._sent_count = 0

    def take(self, recipient_count: int, now: datetime, monotonic_s: float) -> Allowance:
        if self.max_24_hour_send >= 0 and self.sent_last_24_hours(now) >= self.max_24_hour_send:
            return Allowance.DAY_EXCEEDED
        if self.max_send_rate >= 0:
            self._fill(monotonic_s)
            if self._tokens < 1:
                return Allowance.RATE_EXCEEDED
            self._tokens -= recipient_count
        self._count(recipient_count, now)
        return Allowance.GRANTED

    def sent_last_24_hours(self, now: datetime) -> int:
        while self._sent and self._sent[0][0] <= now - DAY:
            self._sent_count -= self._sent.popleft()[1]
        return self._sent_count

    def _fill(self, monotonic_s: float) -> None:
        if self._filled_s is not None:
            self._tokens = min(self._capacity, self._tokens + (monotonic_s - self._filled_s) * self.max_send_rate)
        self._filled_s = monotonic_s

    def _count(self, recipient_count: int, now: datetime) -> None:
        # One entry a minute keeps a day of any volume at 1,440 entries.
        if self._sent and timedelta() <= now - self._sent[-1][0] < GRAIN:
            at, count = self._sent[-1]
            self._sent[-1] = (at, count + recipient_count)
        else:
            self._sent.append((now, recipient_count))
        self._sent_count += recipient_count
