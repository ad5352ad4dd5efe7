"""Everybody who ever bought, as one row each: when first, when last, how often, for how much. Memory is that of the
rows and not of the orders.

The same reading also says how they stood at an earlier day and what they did afterwards, so that a model can be held
against what it did not see, and how many of each month's new customers came back in which month.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insights.bg_nbd import Rows
from insights.purchases import Purchases

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]
Floats = NDArray[np.float64]

_WEEK = 7.0
_PACKED = 21  # bits of a count of days: 5,700 years


@dataclass(frozen=True, slots=True)
class Customers:
    """One row a customer, ascending by id, as they stand at the end of `end_day` (days since 1970-01-01).

    `frequency` counts purchases after the first, `spend` is what one of these brought on average (0 for who has none),
    `money` what all brought together, in minor units.
    """

    ids: Int64s
    first_day: Int32s
    last_day: Int32s
    frequency: Int32s
    spend: Floats
    money: Floats
    end_day: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def recency(self) -> Floats:
        """Weeks from the first purchase to the last."""
        return (self.last_day - self.first_day) / _WEEK

    @property
    def age(self) -> Floats:
        """Weeks from the first purchase to the end."""
        return (self.end_day - self.first_day) / _WEEK


@dataclass(frozen=True, slots=True)
class Alike:
    """The distinct rows of a population, and for each customer the place of theirs."""

    rows: Rows
    place: Int64s


@dataclass(frozen=True, slots=True)
class Population:
    """`earlier` are those who had bought by the end of `earlier.end_day`, `afterwards` how often each of them bought
    since. `cohorts` maps (month of the first purchase, months later) to how many people bought in that month; months
    count from January 1970.
    """

    customers: Customers
    earlier: Customers
    afterwards: Int32s
    cohorts: dict[tuple[int, int], int] = field(default_factory=dict)


def gather(purchases: Iterable[Purchases], *, end_day: int, earlier_day: int) -> Population:
    """Read every customer's purchases once."""
    now, then, since = [], [], []
    cohorts: Counter[tuple[int, int]] = Counter()
    for some in purchases:
        now.append(summarise(some, end_day))
        seen = summarise(some.until(earlier_day), earlier_day)
        then.append(seen)
        count = now[-1].frequency[np.searchsorted(now[-1].ids, seen.ids)] - seen.frequency
        since.append(count.astype(np.int32))
        cohorts.update(_cohorts(some))
    afterwards = np.concatenate(since) if since else np.zeros(0, dtype=np.int32)
    return Population(_joined(now, end_day), _joined(then, earlier_day), afterwards, dict(cohorts))


def summarise(purchases: Purchases, end_day: int) -> Customers:
    """One row a customer; every purchase is on `end_day` or before."""
    owner, day, amount = purchases.owner, purchases.day, purchases.amount.astype(np.float64)
    starts = np.flatnonzero(np.diff(owner, prepend=owner[0] - 1)) if len(owner) else np.zeros(0, dtype=np.int64)
    count = np.diff(np.append(starts, len(owner)))
    money = np.add.reduceat(amount, starts) if len(starts) else np.zeros(0)
    repeats = np.maximum(count - 1, 1)
    return Customers(
        owner[starts],
        day[starts].astype(np.int32),
        day[starts + count - 1].astype(np.int32),
        (count - 1).astype(np.int32),
        np.where(count > 1, (money - amount[starts]) / repeats, 0.0),
        money,
        end_day,
    )


def group(customers: Customers) -> Alike:
    """Customers with the same frequency, recency and age as one row."""
    age = (customers.end_day - customers.first_day).astype(np.int64)
    recency = (customers.last_day - customers.first_day).astype(np.int64)
    key = (customers.frequency.astype(np.int64) << 2 * _PACKED) | (recency << _PACKED) | age
    _keys, first, place, weight = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    rows = Rows(
        customers.frequency[first].astype(np.float64), recency[first] / _WEEK, age[first] / _WEEK, weight.astype(float)
    )
    return Alike(rows, place)


def _joined(parts: Sequence[Customers], end_day: int) -> Customers:
    if not parts:
        whole, small, money = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0)
        return Customers(whole, small, small, small, money, money, end_day)

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Customers(
        column("ids"),
        column("first_day"),
        column("last_day"),
        column("frequency"),
        column("spend"),
        column("money"),
        end_day,
    )


def _cohorts(purchases: Purchases) -> dict[tuple[int, int], int]:
    if not len(purchases.owner):
        return {}
    month = purchases.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    is_first = np.diff(purchases.owner, prepend=purchases.owner[0] - 1) != 0
    began = month[is_first][np.cumsum(is_first) - 1]
    is_new = is_first | (np.diff(month, prepend=month[0]) != 0)
    pairs, count = np.unique(np.stack([began[is_new], month[is_new] - began[is_new]]), axis=1, return_counts=True)
    return {(int(one), int(later)): int(many) for one, later, many in zip(*pairs, count, strict=True)}
