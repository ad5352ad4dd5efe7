"""IANA time zones by name, and by no other name.

`zoneinfo` alone also opens `posix/…` and `right/…`, where the system ships them; the latter count leap
seconds.
"""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})


@cache
def known_zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_PLACES


@cache
def find_zone(name: str) -> ZoneInfo | None:
    """The zone called `name` (letter by letter), or None: a profile with an unknown zone has none."""
    return ZoneInfo(name) if name in known_zones() else None
