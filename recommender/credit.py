"""Orders that came from an offer: what was ordered of the very products that it had chosen. Reads only.

The shop says which decision an order came from, by the parameter that stands in every link of an offer; where it says
nothing, the decision of the message counts that the order is credited to by a click. An order has one decision and is
worth what its offered products cost, so that it never counts for more than it is. What an offer caused, `lift` tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from core.database import batches
from customers.tables import LineKind, OrderKind, customer_order, order_line
from delivery.tables import message
from recommender.tables import offer_decision
from tracking.tables import conversion

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class OfferCredit:
    """Orders that hold a product of the decision they came from; `revenue` of those products, in minor units."""

    order_count: int = 0
    revenue: int = 0


def credit_of(
    connection: Connection,
    offer: str,
    *,
    start: datetime,
    end: datetime,
    currency: str,
    window: timedelta = timedelta(days=7),
) -> OfferCredit:
    """What is credited to the decisions of one offer in `[start, end)`.

    An order counts when it was placed within `window` after its decision, in `currency`, and by the decision's person
    where the decision has one. The held-out, who were shown best sellers, count for nothing.
    """
    decision_id = func.coalesce(customer_order.c.decision_id, message.c.decision_id)
    query = (
        select(
            customer_order.c.id,
            customer_order.c.placed_at,
            offer_decision.c["items"].label("offered"),
            offer_decision.c.decided_at,
        )
        .outerjoin(conversion, and_(conversion.c.order_id == customer_order.c.id, conversion.c.rule == "clicked"))
        .outerjoin(message, message.c.id == conversion.c.message_id)
        .join(offer_decision, offer_decision.c.id == decision_id)
        .where(
            offer_decision.c.offer == offer,
            offer_decision.c.is_holdout.is_(False),
            offer_decision.c.decided_at >= start,
            offer_decision.c.decided_at < end,
            func.coalesce(offer_decision.c.profile_id, customer_order.c.profile_id) == customer_order.c.profile_id,
            customer_order.c.kind == OrderKind.ORDER,
            customer_order.c.currency == currency,
            customer_order.c.placed_at >= start,
        )
    )
    orders = [row for row in connection.execute(query) if row.decided_at <= row.placed_at < row.decided_at + window]
    order_count = revenue = 0
    for some in batches(orders, _BATCH):
        lines = _lines(connection, some)
        for row in some:
            amounts = [amount for sku, amount in lines[row.id] if sku in {item["sku"] for item in row.offered}]
            order_count += bool(amounts)
            revenue += sum(amounts)
    return OfferCredit(order_count, revenue)


def _lines(connection: Connection, orders: Sequence[Row[Any]]) -> dict[int, list[tuple[str, int]]]:
    query = select(order_line.c.order_id, order_line.c.sku, order_line.c.amount).where(
        order_line.c.order_id.in_([row.id for row in orders]), order_line.c.kind == LineKind.PRODUCT
    )
    lines: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for order_id, sku, amount in connection.execute(query):
        lines[order_id].append((sku, amount))
    return lines
