"""Baskets with the profiles they belong to, for questions about what a customer buys next. Reads only."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from sqlalchemy import Connection, exists, func, select

from customers.tables import LineKind, OrderKind, customer_order, order_line
from recommender.baskets import read_baskets
from recommender.evaluation.questions import Purchases

_PAGE = 50_000


def read_purchases(connection: Connection, *, end: datetime) -> Purchases:
    """All orders placed before `end`, as `read_baskets` reads them; anonymous ones belong to -1."""
    has_products = exists().where(
        order_line.c.order_id == customer_order.c.id, order_line.c.kind == LineKind.PRODUCT, order_line.c.quantity > 0
    )
    query = (
        select(customer_order.c.id, func.coalesce(customer_order.c.profile_id, -1))
        .where(customer_order.c.kind == OrderKind.ORDER, customer_order.c.placed_at < end, has_products)
        .order_by(customer_order.c.id)
        .limit(_PAGE)
    )
    customers: list[int] = []
    last = 0
    while True:
        page = connection.execute(query.where(customer_order.c.id > last)).all()
        customers += [customer for _, customer in page]
        if len(page) < _PAGE:
            break
        last = page[-1][0]
    return Purchases(read_baskets(connection, end=end), np.array(customers, dtype=np.int64))
