"""A few sample products that sell, so that offers have something to show while a test is played."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from customers.tables import product
from recommender.published import BEST_SELLERS, RuleSetStatus
from recommender.tables import related_item, rule_set

_COUNT = 12


def stock_up(connection: Connection, currency: str, now: datetime) -> None:
    """Put the products on the shelf, all of them best sellers, in the order of their numbers."""
    skus = [f"sample-{number}" for number in range(1, _COUNT + 1)]
    products = [
        {
            "sku": sku,
            "name": f"Sample product {number}",
            "category": "samples",
            "price": 100 * number,
            "currency": currency,
            "stock": 1_000,
            "url": f"https://shop.example/{sku}",
            "image_url": f"https://shop.example/{sku}.png",
            "is_hidden": False,
            "is_replenishable": False,
            "attributes": {},
            "updated_at": now,
        }
        for number, sku in enumerate(skus, start=1)
    ]
    connection.execute(insert(product), products)
    mined = {"basket_count": 0, "item_count": _COUNT, "rule_count": 0, "parameters": {}, "evaluation": {}}
    (rules,) = connection.execute(
        insert(rule_set).values(mined_at=now, status=RuleSetStatus.PUBLISHED.value, **mined).returning(rule_set.c.id)
    ).one()
    best = [
        {"rule_set_id": rules, "sku": BEST_SELLERS, "rank": rank, "related_sku": sku, "score": float(_COUNT - rank)}
        for rank, sku in enumerate(skus, start=1)
    ]
    connection.execute(insert(related_item), best)
