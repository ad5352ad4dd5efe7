"""What each customer bought on which day: orders and returns as arrays, read by keyset, some thousand people at a time.

A purchase is a day with at least one order: two orders on one day are one decision. A return takes money from the last
purchase before it, and from those before that if it is larger; a day that was returned whole was no purchase. Only
active people who did not object are read, and only orders in the workspace's currency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, bindparam, func, select, true, type_coerce

from core.clock import from_micros, to_micros
from customers.tables import OrderKind, ProfileStatus, customer_order, profile

Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]

_PAGE_ROWS = 50_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Purchases:
    """One row a customer and day with a purchase, in the order of customers and days. `day` counts from 1970-01-01 in
    the workspace's time zone; `amount` is in minor units of its currency, above zero.
    """

    owner: Int64s
    day: Int64s
    amount: Int64s

    def until(self, day: int) -> Purchases:
        """Those on `day` or before."""
        kept = self.day <= day
        return Purchases(self.owner[kept], self.day[kept], self.amount[kept])


@dataclass(slots=True)
class LeftOut:
    """How many rows were passed over, and why."""

    other_currencies: dict[str, int] = field(default_factory=dict)  # orders
    without_money: int = 0  # orders of zero or less
    in_the_future: int = 0  # orders
    returned_more: int = 0  # returns of more than was bought before
    of_nobody: int = 0  # orders without a known customer
    people: int = 0  # who objected, or whose data is restricted or erased


def iter_purchases(
    connection: Connection,
    *,
    currency: str,
    zone: ZoneInfo,
    now: datetime,
    left_out: LeftOut,
    only: int | None = None,
) -> Iterator[Purchases]:
    """The purchases of everybody, or of the profile `only`, whole customers at a time; what is passed over is counted
    in `left_out`.
    """
    days = _Days(connection, zone, now)
    after, size = 0, _PAGE_ROWS
    while True:
        page = connection.execute(_query(only), {"after": after, "size": size}).all()
        if not page:
            return
        owner = np.array([row[0] for row in page], dtype=np.int64)
        is_last = len(page) < size
        whole = len(page) if is_last else int(np.searchsorted(owner, owner[-1]))
        if not whole:
            size *= 2  # one customer fills the page
            continue
        after = int(owner[whole - 1])
        yield _purchases(page[:whole], owner[:whole], days, currency, left_out)
        if is_last:
            return


def count_left_out(connection: Connection, left_out: LeftOut) -> None:
    """Count the orders and people that `iter_purchases` does not even read."""
    order, person = customer_order.c, profile.c
    left_out.of_nobody = connection.scalar(select(func.count()).where(order.profile_id.is_(None))) or 0
    barred = (person.status.not_in([ProfileStatus.ACTIVE, ProfileStatus.MERGED])) | (
        (person.status == ProfileStatus.ACTIVE) & person.objected_at.is_not(None)
    )
    left_out.people = connection.scalar(select(func.count()).select_from(profile).where(barred)) or 0


def find_first_day(connection: Connection, zone: ZoneInfo) -> int | None:
    """The day of the first order; None where there is none."""
    first = connection.scalar(select(func.min(type_coerce(customer_order.c.placed_at, BigInteger))))
    return None if first is None else day_of(from_micros(first), zone)


def net_purchases(owner: Int64s, day: Int64s, amount: Int64s, is_return: Flags) -> tuple[Purchases, int]:
    """Orders and returns of whole customers as purchases, and how many returns exceed what was bought before them."""
    owners, place = np.unique(owner, return_inverse=True)
    width = int(day.max() - day.min()) + 1 if len(day) else 1
    key = place * width + (day - day.min() if len(day) else day)
    bought, where = np.unique(key[~is_return], return_inverse=True)
    money = np.bincount(where, weights=amount[~is_return], minlength=len(bought)).astype(np.int64)
    of_owner = bought // width
    excess = 0
    if is_return.any():
        given = np.abs(amount[is_return])
        before = np.searchsorted(bought, key[is_return], side="right") - 1
        known = (before >= 0) & (of_owner[np.maximum(before, 0)] == place[is_return]) if len(bought) else before >= 0
        taken = np.bincount(before[known], weights=given[known], minlength=len(bought)).astype(np.int64)
        money, rest = _take_back(of_owner, money, taken)
        excess = int((~known).sum()) + rest
    kept = money > 0
    first = int(day.min()) if len(day) else 0
    return Purchases(owners[of_owner[kept]], bought[kept] % width + first, money[kept]), excess


def day_of(at: datetime, zone: ZoneInfo) -> int:
    """The local day of an instant, counted from 1970-01-01."""
    return (at.astimezone(zone).date() - _EPOCH).days


def date_of(day: int) -> date:
    return _EPOCH + timedelta(days=int(day))


def _take_back(owner: Int64s, money: Int64s, taken: Int64s) -> tuple[Int64s, int]:
    """Walk each customer's days backwards and pass on what a return takes beyond its day (Lindley's recursion)."""
    left = money.copy()
    rest = 0
    for one in np.unique(owner[taken > 0]):
        first, end = np.searchsorted(owner, [one, one + 1])
        carried = 0
        for place in range(end - 1, first - 1, -1):
            carried += int(taken[place])
            used = min(carried, int(money[place]))
            left[place] = money[place] - used
            carried -= used
        rest += carried > 0
    return left, rest


def _purchases(page: Sequence[Any], owner: Int64s, days: _Days, currency: str, left_out: LeftOut) -> Purchases:
    _owner, placed_at, kinds, currencies, totals = zip(*page, strict=True)
    at, total = np.array(placed_at, dtype=np.int64), np.array(totals, dtype=np.int64)
    is_return = np.array([kind == OrderKind.RETURN.value for kind in kinds], dtype=np.bool_)
    is_ours = np.array([one == currency for one in currencies], dtype=np.bool_)
    if not is_ours.all():
        others = Counter(one for one in currencies if one != currency)
        left_out.other_currencies = dict(Counter(left_out.other_currencies) + others)
    is_past = at < days.now
    is_worth = is_return | (total > 0)
    left_out.in_the_future += int((is_ours & ~is_past).sum())
    left_out.without_money += int((is_ours & is_past & ~is_worth).sum())
    kept = is_ours & is_past & is_worth
    found, excess = net_purchases(owner[kept], days.of(at[kept]), total[kept], is_return[kept])
    left_out.returned_more += excess
    return found


def _query(only: int | None) -> Select[Any]:
    order = customer_order.c
    placed_at = type_coerce(order.placed_at, BigInteger)
    return (
        select(order.profile_id, placed_at, order.kind, order.currency, order.total)
        .join(profile, profile.c.id == order.profile_id)
        .where(
            order.profile_id > bindparam("after"),
            order.profile_id == only if only is not None else true(),
            profile.c.status == ProfileStatus.ACTIVE,
            profile.c.objected_at.is_(None),
        )
        .order_by(order.profile_id, order.placed_at)
        .limit(bindparam("size"))
    )


class _Days:
    """Local days of many instants at once: where each local day begins is asked once a day."""

    def __init__(self, connection: Connection, zone: ZoneInfo, now: datetime) -> None:
        self.now = to_micros(now)
        first = find_first_day(connection, zone)
        last = day_of(now, zone)
        self._first = last if first is None else min(first, last)
        starts = (
            datetime.combine(date_of(day), time(), zone).astimezone(ZoneInfo("UTC"))
            for day in range(self._first, last + 2)
        )
        self._starts = np.array([to_micros(start) for start in starts], dtype=np.int64)

    def of(self, at: Int64s) -> Int64s:
        return np.searchsorted(self._starts, at, side="right").astype(np.int64) - 1 + self._first
