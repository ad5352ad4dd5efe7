"""What offers are worth: orders and money of those who saw them, beside the held-out who saw best sellers.

Everybody counts for whom the offer was decided, whether they looked or not, because chance decided only that. Reads
only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import erfc, sqrt

from sqlalchemy import BigInteger, Connection, and_, func, select, type_coerce

from customers.tables import OrderKind, customer_order
from recommender.credit import OfferCredit, credit_of
from recommender.tables import offer_decision

_NORMAL_95 = 1.959963984540054
_SUSPICIOUS = 0.001
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison; `revenue` and its squares are in minor units, squares are summed over people."""

    profile_count: int = 0
    buyer_count: int = 0
    order_count: int = 0
    revenue: int = 0
    revenue_squares: float = 0.0
    order_squares: float = 0.0

    @property
    def mean_orders(self) -> float:
        return self.order_count / self.profile_count if self.profile_count else 0.0

    @property
    def buyer_share(self) -> float:
        return self.buyer_count / self.profile_count if self.profile_count else 0.0

    @property
    def mean_revenue(self) -> float:
        return self.revenue / self.profile_count if self.profile_count else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """Treated minus held-out, with the limits of the 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0

    def times(self, count: int) -> Difference:
        return Difference(self.value * count, self.low * count, self.high * count)


@dataclass(frozen=True, slots=True)
class OfferLift:
    """`buyers` is a difference of shares (0 to 1), `orders` one of orders a profile and `revenue` one of minor units a
    profile; None with an arm of fewer than two.

    `credit` is what came from the offer by its links, caused by it or not. `odd_split` is the chance of arms as unequal
    as these, given where it is below 0.1 %: then something else than chance made them, and nothing is proved.
    """

    offer: str
    currency: str
    window: timedelta
    treated: Arm
    held_out: Arm
    buyers: Difference | None
    orders: Difference | None
    revenue: Difference | None
    credit: OfferCredit
    odd_split: float | None = None

    @property
    def extra_orders(self) -> Difference | None:
        """The orders that the offer caused among all who were treated."""
        return self.orders.times(self.treated.profile_count) if self.orders is not None else None

    @property
    def extra_revenue(self) -> Difference | None:
        """The money that the offer brought in from all who were treated, in minor units."""
        return self.revenue.times(self.treated.profile_count) if self.revenue is not None else None


def measure_lift(
    connection: Connection,
    offer: str,
    *,
    start: datetime,
    end: datetime,
    currency: str,
    window: timedelta = timedelta(days=7),
    holdout: Decimal | None = None,
) -> OfferLift:
    """The lift of one offer over the profiles it was first decided for in `[start, end)`.

    An order counts when it was placed within `window` after that decision, in `currency`. With `holdout`, the
    percentage that should be held out, arms that chance would hardly have made are told.
    """
    first = (
        select(
            offer_decision.c.profile_id,
            offer_decision.c.is_holdout,
            type_coerce(func.min(offer_decision.c.decided_at), BigInteger).label("decided_at"),
        )
        .where(
            offer_decision.c.offer == offer,
            offer_decision.c.decided_at >= start,
            offer_decision.c.decided_at < end,
            offer_decision.c.profile_id.is_not(None),
        )
        .group_by(offer_decision.c.profile_id, offer_decision.c.is_holdout)
        .subquery()
    )
    placed_at = type_coerce(customer_order.c.placed_at, BigInteger)
    query = (
        select(
            first.c.is_holdout,
            func.count(customer_order.c.id),
            func.coalesce(func.sum(customer_order.c.total), 0),
        )
        .outerjoin(
            customer_order,
            and_(
                customer_order.c.profile_id == first.c.profile_id,
                customer_order.c.kind == OrderKind.ORDER,
                customer_order.c.currency == currency,
                placed_at >= first.c.decided_at,
                placed_at < first.c.decided_at + window // _MICROSECOND,
            ),
        )
        .group_by(first.c.profile_id, first.c.is_holdout)
    )
    arms = {False: Arm(), True: Arm()}
    for is_holdout, order_count, total in connection.execute(query):
        arms[is_holdout] = _with(arms[is_holdout], order_count, int(total))
    treated, held_out = arms[False], arms[True]
    comparable = treated.profile_count > 1 and held_out.profile_count > 1
    return OfferLift(
        offer,
        currency,
        window,
        treated,
        held_out,
        buyers=difference_of_shares(treated, held_out) if comparable else None,
        orders=difference_of_orders(treated, held_out) if comparable else None,
        revenue=difference_of_means(treated, held_out) if comparable else None,
        credit=credit_of(connection, offer, start=start, end=end, currency=currency, window=window),
        odd_split=_odd_split(treated, held_out, holdout),
    )


def difference_of_shares(treated: Arm, held_out: Arm) -> Difference:
    """p1 - p2 with Newcombe's hybrid score interval (1998, Statistics in Medicine 17, 873-890, method 10).

    With d = p1 - p2 and the Wilson limits (l, u) of each share, low = d - sqrt((p1-l1)² + (u2-p2)²) and
    high = d + sqrt((u1-p1)² + (p2-l2)²).
    Unlike the textbook interval it holds for the small shares of a shop.
    """
    ours, theirs = treated.buyer_share, held_out.buyer_share
    low, high = _wilson(treated.buyer_count, treated.profile_count)
    their_low, their_high = _wilson(held_out.buyer_count, held_out.profile_count)
    value = ours - theirs
    return Difference(
        value,
        value - sqrt((ours - low) ** 2 + (their_high - theirs) ** 2),
        value + sqrt((high - ours) ** 2 + (theirs - their_low) ** 2),
    )


def difference_of_means(treated: Arm, held_out: Arm) -> Difference:
    """Revenue: m1 - m2 ± 1.96 · sqrt(s1²/n1 + s2²/n2), Welch's (1947) standard error with the normal approximation."""
    return _welch(
        (treated.profile_count, treated.revenue, treated.revenue_squares),
        (held_out.profile_count, held_out.revenue, held_out.revenue_squares),
    )


def difference_of_orders(treated: Arm, held_out: Arm) -> Difference:
    """Orders a profile, compared as money is."""
    return _welch(
        (treated.profile_count, treated.order_count, treated.order_squares),
        (held_out.profile_count, held_out.order_count, held_out.order_squares),
    )


def odd_split(treated: int, held_out: int, expected: float | None) -> float | None:
    """The chance of arms at least so unequal when `expected` people are to be held out, where it is below 0.1 %
    (Pearson's chi-square with one degree of freedom).
    """
    everybody = treated + held_out
    if expected is None or not 0 < expected < everybody:
        return None
    distance = (held_out - expected) ** 2
    chance = erfc(sqrt((distance / expected + distance / (everybody - expected)) / 2))
    return chance if chance < _SUSPICIOUS else None


def _odd_split(treated: Arm, held_out: Arm, holdout: Decimal | None) -> float | None:
    if holdout is None:
        return None
    everybody = treated.profile_count + held_out.profile_count
    return odd_split(treated.profile_count, held_out.profile_count, everybody * float(holdout) / 100)


def _with(arm: Arm, order_count: int, revenue: int) -> Arm:
    return Arm(
        arm.profile_count + 1,
        arm.buyer_count + (order_count > 0),
        arm.order_count + order_count,
        arm.revenue + revenue,
        arm.revenue_squares + float(revenue) ** 2,
        arm.order_squares + float(order_count) ** 2,
    )


def _wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    share, square = successes / trials, _NORMAL_95**2
    middle = share + square / (2 * trials)
    spread = _NORMAL_95 * sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    scale = 1 + square / trials
    return (middle - spread) / scale, (middle + spread) / scale


def _welch(one: tuple[int, float, float], other: tuple[int, float, float]) -> Difference:
    """Of two sides, each as count, sum and sum of squares."""
    (first, spread), (second, other_spread) = (_mean(*side) for side in (one, other))
    value, width = first - second, _NORMAL_95 * sqrt(spread + other_spread)
    return Difference(value, value - width, value + width)


def _mean(count: int, total: float, squares: float) -> tuple[float, float]:
    """The mean and the square of its standard error."""
    mean = total / count
    return mean, max(squares - count * mean**2, 0.0) / (count - 1) / count
