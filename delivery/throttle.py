"""Pace as arithmetic: at which instants, evenly spaced below a provider's rate, the next recipients may be written to.

Even spacing leaves no sliding second in which more than the rate's worth falls, and no burst for a provider's small
bucket to refuse. Pure; instants are seconds since 1970. Who keeps the rate and shares it out is `pace.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TARGET = 0.95  # of the quota: a call may arrive some milliseconds later than it was meant to
_FIRST_RATE = 10.0  # recipients a second, where a provider that names no rate asks us to slow down
_LOWEST_RATE = 0.2
_RECOVERY_S = 60.0  # a rate that was halved doubles in this time, up to its quota
_FORGOTTEN_S = 10 * _RECOVERY_S  # after which a provider without a quota counts as unlimited again
_SAME_S = 5.0  # refusals within this time are one: the calls were under way together


@dataclass(frozen=True, slots=True)
class Rate:
    """What all workers of a workspace share about one provider.

    `quota` is in recipients a second, None for unlimited. `slowed_to` is the rate to which a refusal brought us at
    `slowed_at`. `next_at` is the first instant that nobody has reserved; `day_left` what is left of the day's quota,
    None for unlimited.
    """

    quota: float | None = None
    slowed_to: float | None = None
    slowed_at: float | None = None
    next_at: float = 0.0
    day_left: int | None = None


def rate_at(rate: Rate, now: float) -> float | None:
    """Recipients a second that hold at `now`: the target, or what has recovered of it; None for unlimited."""
    whole = None if rate.quota is None else rate.quota * TARGET
    if rate.slowed_to is None or rate.slowed_at is None:
        return whole
    elapsed = max(0.0, now - rate.slowed_at)
    if elapsed >= _FORGOTTEN_S:
        return whole
    recovered: float = rate.slowed_to * 2 ** (elapsed / _RECOVERY_S)
    return recovered if whole is None else min(whole, recovered)


def slow_down(rate: Rate, now: float) -> Rate:
    """The provider said it was too fast: half the rate, once for all the calls that were under way together."""
    if rate.slowed_at is not None and now - rate.slowed_at < _SAME_S:
        return rate
    current = rate_at(rate, now)
    slowed_to = _FIRST_RATE if current is None else max(_LOWEST_RATE, current / 2)
    return replace(rate, slowed_to=slowed_to, slowed_at=now)


def reserve(rate: Rate, wanted: int, now: float, lead: float = 0.0) -> tuple[Rate, list[float]]:
    """Up to `wanted` instants from `now + lead` on, and the rate without them. None are left when the day is over.

    An unlimited rate is not asked. What is reserved and not used is lost, which is safe.
    """
    if rate.day_left is not None:
        wanted = min(wanted, max(0, rate.day_left))
        rate = replace(rate, day_left=rate.day_left - wanted)
    current = rate_at(rate, now)
    if wanted <= 0 or current is None:
        return rate, [now] * max(0, wanted)
    start, step = max(rate.next_at, now + lead), 1 / current
    return replace(rate, next_at=start + wanted * step), [start + number * step for number in range(wanted)]
