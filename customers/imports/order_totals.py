"""The end of an order import: totals, and one log event an order, once all its lines are there.

An order whose lines are still arriving has no line count; that is how it is found again, also after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select, update

from customers.imports.job import Job
from customers.log import NewEvent, append_events
from customers.orders import order_event
from customers.tables import LineKind, customer_order, order_line
from customers.touches import TouchKind, touch

_ORDERS = 2_000
_SEPARATOR = "\x1f"  # no sku holds it, because it cannot be printed

line = order_line.c


def finish_orders(connection: Connection, job: Job, after: int) -> int | None:
    """Total the next orders whose id is above `after`; answers the last id, None when there was none."""
    unfinished = (customer_order.c.line_count == 0) & (customer_order.c.id > after)
    orders = connection.execute(
        select(customer_order).where(unfinished).order_by(customer_order.c.id).limit(_ORDERS)
    ).all()
    if not orders:
        return None
    events: dict[int | None, list[NewEvent]] = {}  # by the import that made the order
    totals = []
    summed = _sums(connection, orders)
    for order in orders:
        total, line_count, item_count, skus = summed[order.id]
        totals.append({"order": order.id, "sum": int(total), "count": line_count})
        event = order_event(
            order.key,
            order.kind,
            order.profile_id,
            order.placed_at,
            total=int(total),
            currency=order.currency,
            item_count=int(item_count),
            skus=skus.split(_SEPARATOR) if skus else (),
            source=job.mapping.source,
            is_historical=job.mapping.is_historical,
        )
        events.setdefault(order.batch_id, []).append(event)
    statement = update(customer_order).where(customer_order.c.id == bindparam("order"))
    connection.execute(statement.values(total=bindparam("sum"), line_count=bindparam("count")), totals)
    # Lines came in batches of their own, and an order that got more of them has its event already.
    touch(connection, {order.profile_id for order in orders}, TouchKind.REWRITTEN)
    for batch_id, those in events.items():
        append_events(connection, job.vault, job.workspace, those, job.now, batch_id=batch_id)
    last: int = orders[-1].id
    return last


def _sums(connection: Connection, orders: Sequence[Row[Any]]) -> dict[int, tuple[Any, int, Any, str | None]]:
    """Total, lines, pieces of products and the products themselves, by order."""
    is_product = line.kind == LineKind.PRODUCT.value
    pieces = func.sum(case((is_product, line.quantity), else_=0))
    skus = func.aggregate_strings(case((is_product, line.sku)), _SEPARATOR)
    query = (
        select(line.order_id, func.sum(line.amount), func.count(), pieces, skus)
        # Orders of one import stand together; a range is read faster than two thousand ids.
        .where(line.order_id.between(orders[0].id, orders[-1].id))
        .group_by(line.order_id)
    )
    return {order_id: (*sums,) for order_id, *sums in connection.execute(query)}
