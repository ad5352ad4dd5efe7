"""What somebody will still bring: expected purchases times expected money, discounted, and how sure that is.

The interval is drawn: for one person some thousand futures from what the two models say of people with this past. The
seed is the person's id, so that the same question has the same answer. Pure; time is in weeks, money in minor units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insights.bg_nbd import BgNbd, alive_probability, expected_purchases
from insights.gamma_gamma import GammaGamma

Floats = NDArray[np.float64]

VALUE_DAYS = 365
_STEPS = 4  # of the discount: within a quarter of a year it stands still
_DRAWS = 4_000
_SEED = 20050501


@dataclass(frozen=True, slots=True)
class Worth:
    """`margin` is the share of money that remains after the costs of what is sold; 1 leaves revenue."""

    margin: float = 1.0
    yearly_discount: float = 0.1


@dataclass(frozen=True, slots=True)
class Range:
    """In 80 of 100 futures it lies from `low` to `high`."""

    low: float
    high: float


def discounted_purchases(model: BgNbd, worth: Worth, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    """E[purchases in the next year], each counted for what it is worth today."""
    weeks = VALUE_DAYS / 7
    ends = [1.0] if not worth.yearly_discount else [step / _STEPS for step in range(1, _STEPS + 1)]
    before, total = np.zeros(len(frequency)), np.zeros(len(frequency))
    for end in ends:
        by_then = expected_purchases(model, weeks * end, frequency, recency, age)
        total += (by_then - before) * (1 + worth.yearly_discount) ** -(end - 0.5 / len(ends))
        before = by_then
    return total


def value_range(
    bg_nbd: BgNbd,
    gamma_gamma: GammaGamma,
    worth: Worth,
    *,
    frequency: float,
    recency: float,
    age: float,
    spend: float,
    seed: int,
) -> Range:
    """The middle 80 of 100 of one person's futures over `VALUE_DAYS`."""
    chance = np.random.default_rng((_SEED, seed))
    one = (np.array([frequency]), np.array([recency]), np.array([age]))
    is_alive = chance.random(_DRAWS) < alive_probability(bg_nbd, *one)[0]
    rate = chance.gamma(bg_nbd.r + frequency, 1 / (bg_nbd.alpha + age), _DRAWS)
    leaves = np.clip(chance.beta(bg_nbd.a, bg_nbd.b + frequency, _DRAWS), 1e-9, 1.0)
    bought = np.minimum(chance.poisson(rate * VALUE_DAYS / 7), chance.geometric(leaves))
    bought = np.where(is_alive, bought, 0)
    p, q, v = gamma_gamma.p, gamma_gamma.q, gamma_gamma.v
    scale = chance.gamma(q + p * frequency, 1 / (v + frequency * spend), _DRAWS)
    money = np.where(bought > 0, chance.gamma(np.maximum(p * bought, 1e-9)) / scale, 0.0)
    # Purchases lie on average in the middle of the year.
    value = money * worth.margin * (1 + worth.yearly_discount) ** -0.5
    low, high = np.quantile(value, [0.1, 0.9])
    return Range(float(low), float(high))
