"""The zones of the world by when their clocks show one time of one day. Pure; kept, because every tick asks."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from core.durations import at_local
from core.zones import known_zones


@lru_cache(maxsize=512)
def zones_at(day: date, clock: time) -> tuple[tuple[datetime, frozenset[str]], ...]:
    """(instant, names of the zones) for each instant at which it is `clock` on `day` somewhere, earliest first."""
    names: dict[datetime, set[str]] = defaultdict(set)
    for name in known_zones():
        names[at_local(day, clock, ZoneInfo(name))].add(name)
    return tuple((instant, frozenset(names[instant])) for instant in sorted(names))
