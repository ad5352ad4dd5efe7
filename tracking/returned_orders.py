"""Takes back what came back: a return reduces the credit of the message that its order was credited to.

A shop's return names products and a person, and not always an order, so the credited order is looked for: the same
person's and currency's, placed before the return, the newest that holds one of its products. Never more is taken from
an order than it was credited with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.database import batches, insert_ignore
from customers.tables import LineKind, customer_order, order_line
from tracking.tables import conversion

RETURNED = "returned"

_BATCH = 500


@dataclass(slots=True)
class _Credited:
    """An order with a conversion, and what of its amount has not come back yet."""

    order_id: int
    message_id: str
    currency: str
    placed_at: datetime
    left: int


def take_back(connection: Connection, returns: Sequence[Row[Any]]) -> int:
    """Write a negative conversion for each of these returns whose order was credited; answers how many."""
    taken = 0
    for some in batches(sorted(returns, key=lambda row: (row.placed_at, row.id)), _BATCH):
        taken += _take_back(connection, some)
    return taken


def _take_back(connection: Connection, returns: Sequence[Row[Any]]) -> int:
    credited = _credited_of(connection, sorted({row.profile_id for row in returns}))
    orders = [one for of_person in credited.values() for one in of_person]
    if not orders:
        return 0
    lines = _lines(connection, [*(row.id for row in returns), *(one.order_id for one in orders)])
    rows = []
    for row in returns:
        back = lines.get(row.id, {})
        for one in credited.get(row.profile_id, ()):
            held = lines.get(one.order_id, {})
            amount = min(one.left, sum(min(abs(back[sku]), held[sku]) for sku in back.keys() & held.keys()))
            if one.currency == row.currency and one.placed_at <= row.placed_at and amount > 0:
                one.left -= amount
                rows.append(
                    {
                        "order_id": row.id,
                        "message_id": one.message_id,
                        "rule": RETURNED,
                        "amount": -amount,
                        "currency": row.currency,
                        "occurred_at": row.placed_at,
                        "returns_order_id": one.order_id,
                    }
                )
                break
    return len(insert_ignore(connection, conversion, rows, returning=["order_id"]))


def _credited_of(connection: Connection, profile_ids: Sequence[int]) -> dict[int, list[_Credited]]:
    """The credited orders of these people, newest first."""
    query = (
        select(
            customer_order.c.profile_id,
            conversion.c.order_id,
            conversion.c.message_id,
            conversion.c.currency,
            conversion.c.occurred_at,
            conversion.c.amount,
        )
        .join(customer_order, customer_order.c.id == conversion.c.order_id)
        .where(customer_order.c.profile_id.in_(profile_ids), conversion.c.rule != RETURNED)
        .order_by(conversion.c.occurred_at.desc(), conversion.c.order_id.desc())
    )
    found = connection.execute(query).all()
    taken = _taken_from(connection, [row.order_id for row in found])
    credited: dict[int, list[_Credited]] = defaultdict(list)
    for row in found:
        left = row.amount + taken.get(row.order_id, 0)
        credited[row.profile_id].append(_Credited(row.order_id, row.message_id, row.currency, row.occurred_at, left))
    return credited


def _taken_from(connection: Connection, order_ids: Sequence[int]) -> dict[int, int]:
    """The sum, zero or negative, of what has come back of each order before."""
    taken: dict[int, int] = {}
    query = select(conversion.c.returns_order_id, func.sum(conversion.c.amount)).group_by(conversion.c.returns_order_id)
    for some in batches(order_ids, _BATCH):
        for order_id, amount in connection.execute(query.where(conversion.c.returns_order_id.in_(some))):
            taken[order_id] = int(amount)
    return taken


def _lines(connection: Connection, order_ids: Sequence[int]) -> Mapping[int, Mapping[str, int]]:
    """What each order holds: minor units by product."""
    held: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    query = select(order_line.c.order_id, order_line.c.sku, order_line.c.amount)
    for some in batches(order_ids, _BATCH):
        of_these = query.where(order_line.c.order_id.in_(some), order_line.c.kind == LineKind.PRODUCT)
        for order_id, sku, amount in connection.execute(of_these):
            held[order_id][sku] += amount
    return held
