"""Legal hours: the only local hours in which a country lets a shop send marketing. Nothing overrides them.

Pure. Where it is not known in which zone somebody is, it must be legal in each zone where they may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from customers.workspace import Hours

_DAY = timedelta(days=1)
_HORIZON = timedelta(days=9)  # hours come again every week; a clock change may take one of them away
_CALLS = frozenset({"sms", "voice"})  # what hours without `channels` are about


@dataclass(frozen=True, slots=True)
class LegalRule:
    """When one person may be written to: within one of `windows`, on the wall clock of every one of `zones`."""

    windows: tuple[Hours, ...]
    zones: tuple[ZoneInfo, ...]


def find_windows(stated: Sequence[Hours], channel: str, country: str | None) -> tuple[Hours, ...]:
    """Those of `legal_hours` that hold for `channel` in `country`: its own, else those without a country."""
    about = [one for one in stated if channel in (one.channels or _CALLS)]
    own = tuple(one for one in about if one.country is not None and one.country == country)
    return own or tuple(one for one in about if one.country is None)


def legal_from(instant: datetime, rule: LegalRule) -> datetime | None:
    """The earliest instant from `instant` (UTC) on that is legal in all zones; None when there is none."""
    current = instant
    while current <= instant + _HORIZON:
        closed = [zone for zone in rule.zones if not _is_open(current.astimezone(zone), rule.windows)]
        if not closed:
            return current
        current = max(_next_opening(current, zone, rule.windows) for zone in closed)
    return None


def _is_open(local: datetime, windows: Sequence[Hours]) -> bool:
    today, clock = local.weekday(), local.time()
    for window in windows:
        if window.start <= window.end:
            if today in window.weekdays and window.start <= clock < window.end:
                return True
        elif (today in window.weekdays and clock >= window.start) or (
            (today - 1) % 7 in window.weekdays and clock < window.end
        ):
            return True
    return False


def _next_opening(instant: datetime, zone: ZoneInfo, windows: Sequence[Hours]) -> datetime:
    return min(at for at in _openings(instant, zone, windows) if at > instant)


def _openings(instant: datetime, zone: ZoneInfo, windows: Sequence[Hours]) -> Iterator[datetime]:
    """The beginnings of the windows around the next eight days, in no order."""
    first = instant.astimezone(zone).date()
    for days in range(9):
        date = first + days * _DAY
        for window in windows:
            if date.weekday() in window.weekdays:
                yield datetime.combine(date, window.start, zone).astimezone(UTC)
