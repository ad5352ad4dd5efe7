"""A small shop whose rules we planted, so that what is mined can be held against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

from customers.tables import customer_event, customer_order, order_line, product, profile
from recommender.baskets import Baskets, baskets_of

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
CATEGORIES = ("Soap", "Tea", "Garden")
# What is bought often leads to what is bought rarely, so that a list of best sellers does not know it.
PLANTED = {"SOA00": "TEA35", "TEA01": "GAR34", "GAR02": "SOA36", "SOA03": "GAR30", "TEA04": "SOA31", "GAR00": "TEA33"}
_PER_CATEGORY = 40


@dataclass(frozen=True)
class Bought:
    """One order of the planted shop."""

    at: datetime
    skus: tuple[str, ...]


def skus_of(category: str) -> list[str]:
    return [f"{category[:3].upper()}{place:02d}" for place in range(_PER_CATEGORY)]


ALL_SKUS = [sku for category in CATEGORIES for sku in skus_of(category)]


def planted_orders(count: int = 1500, seed: int = 7, end: datetime = NOW) -> list[Bought]:
    """Baskets by popularity; whoever takes the left side of a planted pair takes the right side in 80 of 100 cases."""
    rng = np.random.default_rng(seed)
    popularity = 1 / (15 + np.arange(len(ALL_SKUS)) % _PER_CATEGORY)
    popularity /= popularity.sum()
    orders = []
    for place in range(count):
        picked = {ALL_SKUS[code] for code in rng.choice(len(ALL_SKUS), 1 + int(rng.integers(3)), p=popularity)}
        picked |= {right for left, right in PLANTED.items() if left in picked and rng.random() < 0.8}
        orders.append(Bought(end - timedelta(hours=count - place), tuple(sorted(picked))))
    return orders


def planted_baskets() -> Baskets:
    """The same orders as they are counted."""
    return baskets_of((place, order.skus) for place, order in enumerate(planted_orders()))


def add_products(connection: Connection, **changes: Mapping[str, Any]) -> None:
    """The catalogue; `changes` sets columns of single skus."""
    connection.execute(
        insert(product),
        [
            {
                "sku": sku,
                "name": f"{category} {sku[3:]}",
                "category": category,
                "price": 500 + 10 * place,
                "currency": "GBP",
                "stock": 20,
                "url": f"https://shop.example/{sku}",
                "image_url": None,
                "is_hidden": False,
                "is_replenishable": False,
                "attributes": {},
                "updated_at": NOW,
                **changes.get(sku, {}),
            }
            for category in CATEGORIES
            for place, sku in enumerate(skus_of(category))
        ],
    )


def add_profiles(connection: Connection, count: int) -> list[int]:
    """Ids of new profiles."""
    rows = [{"status": "active", "created_at": NOW, "updated_at": NOW, "attributes": {}} for _ in range(count)]
    return sorted(connection.execute(insert(profile).returning(profile.c.id), rows).scalars())


def add_orders(
    connection: Connection, orders: Sequence[Bought], *, profile_id: int | None = None, **order: Any
) -> None:
    """Store orders with one line a product, of one customer or of nobody."""
    rows = [
        {
            "key": f"test:{profile_id}:{place}:{bought.at.timestamp()}",
            "kind": "order",
            "profile_id": profile_id,
            "placed_at": bought.at,
            "currency": "GBP",
            "total": 1000,
            "line_count": len(bought.skus),
            **order,
        }
        for place, bought in enumerate(orders)
    ]
    ids = dict(
        connection.execute(
            insert(customer_order).returning(customer_order.c.key, customer_order.c.id), rows
        ).tuples().all()
    )  # fmt: skip
    lines = [
        {"order_id": ids[row["key"]], "line_no": line, "kind": "product", "sku": sku, "quantity": 1, "amount": 500}
        for row, bought in zip(rows, orders, strict=True)
        for line, sku in enumerate(bought.skus, start=1)
    ]
    connection.execute(insert(order_line), lines)


def add_event(connection: Connection, profile_id: int, name: str, at: datetime, **properties: Any) -> None:
    connection.execute(
        insert(customer_event),
        [
            {
                "profile_id": profile_id,
                "name": name,
                "occurred_at": at,
                "received_at": at,
                "source": "test",
                "properties": properties,
            }
        ],
    )
