"""Token buckets: how many events a second a write key, or a network with a public one, may post.

Each process counts for itself, in memory that is bounded: whoever was not heard of for longest is forgotten first.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

_BURST_S: Final = 10.0  # a bucket holds what comes in so many seconds
_REMEMBERED: Final = 10_000


class Buckets:
    """One bucket a name. Not thread-safe: it belongs to one event loop."""

    def __init__(self, per_second: float, *, remembered: int = _REMEMBERED) -> None:
        self._rate = per_second
        self._remembered = remembered
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name -> (tokens, as of)

    def take(self, name: str, count: int, now_s: float, per_second: float | None = None) -> int:
        """0 when `count` events may pass, else the whole seconds to wait (Retry-After).

        A bucket may go below nothing, so that a batch larger than it passes too, and the next one waits. `now_s` is of
        a clock that never goes back; `per_second` replaces the rate for this name; a rate of 0 is no limit.
        """
        rate = self._rate if per_second is None else per_second
        if rate <= 0:
            return 0
        tokens, as_of = self._filled.pop(name, (rate * _BURST_S, now_s))
        tokens = min(rate * _BURST_S, tokens + (now_s - as_of) * rate)
        waits = tokens <= 0
        self._filled[name] = (tokens if waits else tokens - count, now_s)
        if len(self._filled) > self._remembered:
            self._filled.popitem(last=False)
        return max(1, math.ceil(-tokens / rate)) if waits else 0
