"""After how long a product is bought again, and when each person may need it: for products that run out.

A product's interval is the median of the gaps between two purchases by one person, once there are enough of them; a
person's own gaps count beside it, the more the more there are. Gaps that have not ended are unknown, so that a short
history makes intervals shorter than they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, delete, func, insert, select, type_coerce

from core.bulk import among
from core.clock import from_micros, to_micros
from customers.tables import LineKind, OrderKind, ProfileStatus, customer_order, order_line, product, profile
from insights.tables import repurchase_interval

Int64s = NDArray[np.int64]

LEAST_GAPS = 20
_RANGE = 20_000  # profile ids read at a time
_SHORTEST_GAP = 86_400_000_000  # microseconds: an order that was split is no replenishment
_OWN_WORTH = 2.0  # so many of a person's own gaps weigh as much as everybody's
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Half of those who bought again did so within `median_days`, the middle half from `low_days` to `high_days`."""

    sku: str
    gap_count: int
    median_days: float
    low_days: float
    high_days: float


@dataclass(frozen=True, slots=True)
class Due:
    """When a person may need a product again, which they bought `times` times at least a day apart."""

    profile_id: int
    sku: str
    last_bought_at: datetime
    interval_days: float
    due_at: datetime
    times: int


def learn_intervals(connection: Connection, now: datetime) -> list[Interval]:
    """The interval of every replenishable product with at least `LEAST_GAPS` gaps, by sku."""
    gaps: dict[str, list[NDArray[np.float64]]] = {}
    for bought in _iter_bought(connection, now):
        days = np.diff(bought.at) / _DAY
        same = (np.diff(bought.owner) == 0) & (np.diff(bought.item) == 0) & (np.diff(bought.at) >= _SHORTEST_GAP)
        for item in np.unique(bought.item[1:][same]):
            gaps.setdefault(bought.skus[item], []).append(days[same & (bought.item[1:] == item)])
    found = []
    for sku, parts in sorted(gaps.items()):
        days = np.concatenate(parts)
        if len(days) >= LEAST_GAPS:
            low, median, high = (round(float(value), 1) for value in np.quantile(days, [0.25, 0.5, 0.75]))
            found.append(Interval(sku, len(days), median, low, high))
    return found


def record_intervals(connection: Connection, intervals: Sequence[Interval], now: datetime) -> None:
    """Put these in the place of those known before."""
    connection.execute(delete(repurchase_interval))
    rows = [
        {
            "sku": one.sku,
            "gap_count": one.gap_count,
            "median_days": one.median_days,
            "low_days": one.low_days,
            "high_days": one.high_days,
            "computed_at": now,
        }
        for one in intervals
    ]
    if rows:
        connection.execute(insert(repurchase_interval), rows)


def list_intervals(connection: Connection) -> dict[str, Interval]:
    """The recorded intervals by sku."""
    row = repurchase_interval.c
    query = select(row.sku, row.gap_count, row.median_days, row.low_days, row.high_days).order_by(row.sku)
    return {found.sku: Interval(*found) for found in connection.execute(query)}


def find_due(connection: Connection, profile_ids: Sequence[int], now: datetime) -> dict[int, list[Due]]:
    """For each of some thousand people what they may need again and when, soonest first, by the recorded intervals.

    A product that is overdue by more than its interval is left out: they buy it elsewhere, or no more.
    """
    intervals = list_intervals(connection)
    found: dict[int, list[Due]] = {number: [] for number in profile_ids}
    if intervals and profile_ids:
        order = customer_order.c
        query = _bought(now).where(among(connection, order.profile_id, list(profile_ids)))
        for one in _due(_arranged(connection.execute(query).all()), intervals, now):
            found[one.profile_id].append(one)
    return {number: sorted(dues, key=lambda due: (due.due_at, due.sku)) for number, dues in found.items()}


def iter_next_due(connection: Connection, intervals: Sequence[Interval], now: datetime) -> Iterator[tuple[int, float]]:
    """For everybody to whom it applies, in how many days the first product is due; below zero it is overdue."""
    by_sku = {one.sku: one for one in intervals}
    if not by_sku:
        return
    for bought in _iter_bought(connection, now):
        soonest: dict[int, float] = {}
        for due in _due(bought, by_sku, now):
            days = float(np.floor((due.due_at - now) / timedelta(days=1)))
            soonest[due.profile_id] = min(days, soonest.get(due.profile_id, days))
        yield from soonest.items()


@dataclass(frozen=True, slots=True)
class _Bought:
    """One row a purchase of a replenishable product, by owner, product and time (microseconds)."""

    owner: Int64s
    item: Int64s
    at: Int64s
    skus: tuple[str, ...]


def _due(bought: _Bought, intervals: Mapping[str, Interval], now: datetime) -> Iterator[Due]:
    owner, item, at = bought.owner, bought.item, bought.at
    if not len(owner):
        return
    is_first = (np.diff(owner, prepend=-1) != 0) | (np.diff(item, prepend=-1) != 0)
    starts = np.flatnonzero(is_first)
    gap = np.where(is_first, 0, np.diff(at, prepend=at[0]))
    counts = gap >= _SHORTEST_GAP
    logs = np.where(counts, np.log(np.maximum(gap / _DAY, 1.0)), 0.0)
    own_count = np.add.reduceat(counts.astype(np.int64), starts)
    own_sum = np.add.reduceat(logs, starts)
    last = at[np.append(starts[1:], len(at)) - 1]
    usual = np.array([intervals[sku].median_days if sku in intervals else np.nan for sku in bought.skus])[item[starts]]
    days = np.exp((own_sum + _OWN_WORTH * np.log(usual)) / (own_count + _OWN_WORTH))
    waited = (to_micros(now) - last) / _DAY
    for place in np.flatnonzero(waited <= 2 * days).tolist():  # never where there is no interval
        start, lasts = starts[place], float(days[place])
        bought_at = from_micros(int(last[place]))
        yield Due(
            int(owner[start]),
            bought.skus[item[start]],
            bought_at,
            round(lasts, 1),
            bought_at + timedelta(days=lasts),
            int(own_count[place]) + 1,
        )


def _iter_bought(connection: Connection, now: datetime) -> Iterator[_Bought]:
    last = connection.scalar(select(func.max(customer_order.c.profile_id))) or 0
    for first in range(1, last + 1, _RANGE):
        order = customer_order.c
        query = _bought(now).where(order.profile_id >= first, order.profile_id < first + _RANGE)
        yield _arranged(connection.execute(query).all())


def _bought(now: datetime) -> Select[Any]:
    order, line = customer_order.c, order_line.c
    return (
        select(order.profile_id, line.sku, type_coerce(order.placed_at, BigInteger))
        .join(order_line, line.order_id == order.id)
        .join(product, product.c.sku == line.sku)
        .join(profile, profile.c.id == order.profile_id)
        .where(
            product.c.is_replenishable,
            order.kind == OrderKind.ORDER,
            order.placed_at < now,
            line.kind == LineKind.PRODUCT,
            line.quantity > 0,
            profile.c.status == ProfileStatus.ACTIVE,
            profile.c.objected_at.is_(None),
        )
    )


def _arranged(rows: Sequence[Any]) -> _Bought:
    skus = tuple(sorted({row[1] for row in rows}))
    codes = {sku: code for code, sku in enumerate(skus)}
    owner = np.array([row[0] for row in rows], dtype=np.int64)
    item = np.array([codes[row[1]] for row in rows], dtype=np.int64)
    at = np.array([row[2] for row in rows], dtype=np.int64)
    order = np.lexsort((at, item, owner))
    return _Bought(owner[order], item[order], at[order], skus)
