"""The hour of the day at which somebody mostly reads, and its next occurrence. Pure, and the same for equal input.

Opens and clicks count by the clock of the person's zone, each half as much for every 30 days that have passed since;
the acts of one day weigh the same, so that a later hour is not preferred for being later. Five of them are the least to
judge by; with fewer it is everybody's hour, and without any it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from math import fsum
from zoneinfo import ZoneInfo

from core.durations import at_local

ENOUGH = 5
_HALF_LIFE_DAYS = 30
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Basis(StrEnum):
    """Whose habits the hour is taken from."""

    OWN = "own"
    EVERYBODY = "everybody"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Habits:
    """When a person opened and clicked, and the weight of each hour of the day for everybody (24 numbers, or none).

    What machines did is in neither.
    """

    own: Sequence[datetime] = ()
    everybody: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class BestTime:
    """`at` is `now` where no hour suits; `hour` is the best one by the person's clock, None when nothing is known."""

    at: datetime
    hour: int | None
    basis: Basis


def best_time(
    habits: Habits,
    zone: ZoneInfo,
    now: datetime,
    *,
    expires_at: datetime | None,
    is_open: Callable[[datetime], bool],
) -> BestTime:
    """When a message that is due at `now` (UTC) had best go out, within 24 hours.

    `is_open` says whether an instant lies outside quiet hours and inside the send window. An hour has to end before
    `expires_at`; whoever is inside it already, and whoever has none in time, is written to now.
    """
    hour, basis = _best_hour(habits, zone, now)
    if hour is None or now.astimezone(zone).hour == hour:
        return BestTime(now, hour, basis)
    for at in _occurrences(hour, zone, now):
        if is_open(at) and (expires_at is None or at + _HOUR <= expires_at):
            return BestTime(at, hour, basis)
    return BestTime(now, hour, basis)


def weigh_hours(counted: Iterable[tuple[datetime, int]], zone: ZoneInfo, now: datetime) -> list[list[float]]:
    """The weights that fall on each of the 24 hours of `zone`; `counted` are instants, and how many acts at each."""
    weights: list[list[float]] = [[] for _ in range(24)]
    today = now.astimezone(zone).date()
    for at, count in counted:
        if at <= now:
            local = at.astimezone(zone)
            weights[local.hour].append(count * 0.5 ** ((today - local.date()).days / _HALF_LIFE_DAYS))
    return weights


def _best_hour(habits: Habits, zone: ZoneInfo, now: datetime) -> tuple[int | None, Basis]:
    own = [at for at in habits.own if at <= now]
    if len(own) >= ENOUGH:
        # `fsum` is exact, so that the order of equal acts cannot decide.
        return _heaviest([fsum(some) for some in weigh_hours([(at, 1) for at in own], zone, now)]), Basis.OWN
    if any(habits.everybody):
        return _heaviest(habits.everybody), Basis.EVERYBODY
    return None, Basis.NOTHING


def _heaviest(weights: Sequence[float]) -> int:
    """Of equal hours the earlier one."""
    return max(range(24), key=lambda hour: (weights[hour], -hour))


def _occurrences(hour: int, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """When the hour begins in `[now, now + 24h)`; twice at most, on a day on which clocks change."""
    today = now.astimezone(zone).date()
    begins = {at_local(today + days * _DAY, time(hour), zone) for days in range(-1, 3)}
    return sorted(at for at in begins if now <= at < now + _DAY)
