"""Those who were treated beside those who were held out: differences with their 95 % intervals.

Pure. Everybody counts who passed all filters, whether the message reached them or not, because chance decided only who
was held out (intention to treat). Money is in minor units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import exp, log, sqrt

from recommender.lift import Arm, Difference, difference_of_shares, odd_split

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison, with the sums that means and variances are made of."""

    name: str
    profile_count: int = 0
    buyer_count: int = 0
    order_count: int = 0
    order_squares: float = 0.0
    revenue: int = 0
    revenue_squares: float = 0.0

    @property
    def orders_each(self) -> float:
        return self.order_count / self.profile_count if self.profile_count else 0.0

    @property
    def revenue_each(self) -> float:
        return self.revenue / self.profile_count if self.profile_count else 0.0

    @property
    def buyer_share(self) -> float:
        return self.buyer_count / self.profile_count if self.profile_count else 0.0

    def __add__(self, other: Side) -> Side:
        return Side(
            self.name,
            self.profile_count + other.profile_count,
            self.buyer_count + other.buyer_count,
            self.order_count + other.order_count,
            self.order_squares + other.order_squares,
            self.revenue + other.revenue,
            self.revenue_squares + other.revenue_squares,
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """Treated minus held out, and the same as a share of what the held-out did (None without a base for it)."""

    difference: Difference
    lift: Difference | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One treated side beside the holdout."""

    treated: Side
    buyers: Effect
    orders: Effect
    revenue: Effect


@dataclass(frozen=True, slots=True)
class Experiment:
    """All treated beside the holdout, and each variant beside it.

    `window` is how long after its launch an order counts. `odd_split` is the probability of a split at least as uneven
    as this one by chance (chi-square with one degree of freedom), where that is suspicious.
    """

    window: timedelta
    held_out: Side
    whole: Comparison | None
    variants: tuple[Comparison, ...] = ()
    odd_split: float | None = None

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The whole and, where there are several variants, each of them."""
        return ((self.whole,) if self.whole else ()) + self.variants


def compare(
    window: timedelta, treated: Sequence[Side], held_out: Side, *, expected_held_out: float | None = None
) -> Experiment:
    """The experiment over these sides; `expected_held_out` is how many should have been held out of all of them."""
    whole = sum(treated[1:], treated[0]) if treated else Side("treated")
    whole = Side("treated") + whole
    several = len(treated) > 1
    return Experiment(
        window,
        held_out,
        _comparison(whole, held_out),
        tuple(found for side in treated if (found := _comparison(side, held_out)) is not None) if several else (),
        odd_split(whole.profile_count, held_out.profile_count, expected_held_out),
    )


def difference_of_means(
    treated: tuple[int, float, float], held_out: tuple[int, float, float]
) -> tuple[Difference, Difference | None]:
    """(difference, lift) of two means, each side given as (count, sum, sum of squares).

    Difference: m1 - m2 ± 1.96 · sqrt(s1²/n1 + s2²/n2), Welch's (1947) standard error with the normal approximation.
    Lift: m1/m2 - 1, its interval by the delta method on log(m1/m2): ± 1.96 · sqrt(s1²/(n1·m1²) + s2²/(n2·m2²))
    (Deng, Knoblich, Lu 2018, "Applying the Delta Method in Metric Analytics"); None unless both means are above 0.
    """
    (count, mean, error), (base_count, base, base_error) = _mean(*treated), _mean(*held_out)
    assert count
    assert base_count
    value, width = mean - base, _NORMAL_95 * sqrt(error + base_error)
    difference = Difference(value, value - width, value + width)
    if mean <= 0 or base <= 0:
        return difference, None
    middle = log(mean / base)
    spread = _NORMAL_95 * sqrt(error / mean**2 + base_error / base**2)
    return difference, Difference(exp(middle) - 1, exp(middle - spread) - 1, exp(middle + spread) - 1)


def _comparison(treated: Side, held_out: Side) -> Comparison | None:
    """None where one side has nobody, or one person, from whom no spread can be told."""
    if min(treated.profile_count, held_out.profile_count) < 2:
        return None
    return Comparison(
        treated,
        _effect_on_buyers(treated, held_out),
        _effect(treated, held_out, "order_count", "order_squares"),
        _effect(treated, held_out, "revenue", "revenue_squares"),
    )


def _effect(treated: Side, held_out: Side, total: str, squares: str) -> Effect:
    one, other = (
        (side.profile_count, float(getattr(side, total)), float(getattr(side, squares))) for side in (treated, held_out)
    )
    return Effect(*difference_of_means(one, other))


def _effect_on_buyers(treated: Side, held_out: Side) -> Effect:
    """Shares by Newcombe's score interval, which holds for small shares; the lift as for means of 0 and 1."""
    arms = [Arm(side.profile_count, side.buyer_count) for side in (treated, held_out)]
    means = [(side.profile_count, float(side.buyer_count), float(side.buyer_count)) for side in (treated, held_out)]
    return Effect(difference_of_shares(*arms), difference_of_means(*means)[1])


def _mean(count: int, total: float, squares: float) -> tuple[int, float, float]:
    """Count, mean and the squared standard error of the mean."""
    mean = total / count
    variance = max(squares - count * mean**2, 0.0) / max(count - 1, 1)
    return count, mean, variance / count
