"""People whose purchases were drawn from the models, and orders as a test writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

from customers.tables import customer_event, customer_order, order_line, product, profile

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def add_people(connection: Connection, first: int, count: int, **values: Any) -> list[int]:
    """Profiles with the ids from `first` on."""
    rows = [
        {"id": number, "status": "active", "created_at": NOW - 400 * DAY, "updated_at": NOW, "attributes": {}, **values}
        for number in range(first, first + count)
    ]
    connection.execute(insert(profile), rows)
    return [row["id"] for row in rows]


def order(profile_id: int | None, at: datetime, total: int = 1000, **values: Any) -> dict[str, Any]:
    """One order without lines; a return where `total` is negative."""
    return {
        "key": f"test:{profile_id}:{at.isoformat()}:{total}:{values.get('currency', '')}",
        "kind": "order" if total >= 0 else "return",
        "profile_id": profile_id,
        "placed_at": at,
        "currency": "GBP",
        "total": total,
        "line_count": 0,
    } | values


def add_orders(connection: Connection, orders: list[dict[str, Any]]) -> None:
    if orders:
        connection.execute(insert(customer_order), orders)


def add_bought(connection: Connection, profile_id: int, at: datetime, *skus: str) -> None:
    """An order with a line for each product."""
    row = order(profile_id, at, 500 * len(skus), line_count=len(skus))
    (number,) = connection.execute(insert(customer_order).returning(customer_order.c.id), [row]).scalars()
    line = {"order_id": number, "kind": "product", "quantity": 1, "amount": 500}
    connection.execute(insert(order_line), [line | {"line_no": no, "sku": sku} for no, sku in enumerate(skus, start=1)])


def add_product(connection: Connection, sku: str, category: str, *, is_replenishable: bool = False) -> None:
    row = {"sku": sku, "name": sku.title(), "category": category, "price": 500, "currency": "GBP", "stock": None,
           "is_hidden": False, "is_replenishable": is_replenishable, "attributes": {}, "updated_at": NOW}  # fmt: skip
    connection.execute(insert(product), [row])


def add_event(connection: Connection, profile_id: int, name: str, at: datetime, **properties: Any) -> None:
    row = {"profile_id": profile_id, "name": name, "occurred_at": at, "received_at": at, "source": "test"}
    connection.execute(insert(customer_event), [row | {"properties": properties}])


def drawn_orders(profile_ids: list[int], *, days: int = 360, seed: int = 3) -> list[dict[str, Any]]:
    """Orders of a shop as the BG/NBD and Gamma-Gamma models see it, ending at `NOW`."""
    chance = np.random.default_rng(seed)
    orders = []
    for number in profile_ids:
        rate, leaving = chance.gamma(0.9, 1 / 30), chance.beta(0.8, 3.0)
        worth = chance.gamma(3.74) / 4
        day = float(chance.integers(10, days))
        while day > 0:
            at = NOW - timedelta(days=day)
            orders.append(order(number, at, max(int(1000 * chance.gamma(6.0) / 6 / worth), 1)))
            if chance.random() < leaving:
                break
            day -= float(max(chance.exponential(1 / rate), 1))
    return orders
