"""How many people a second are given their offer for a mail: `make bench NAME=recommender_batch`.

A shop of 5,000 products whose rules are published; each person ordered up to four times and some looked at things.
Decisions are chosen, explained and written, for the whole launch at once and as many at a time as a worker composes.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

import migrations.tables  # noqa: F401 - the tables that make up the database
from core.bulk import insert_fresh
from core.clock import to_micros
from core.database import Database, batches, metadata
from core.heap import collecting_seldom
from customers.tables import customer_event, customer_order, order_line, product, profile
from recommender.offer_definition import Offer
from recommender.offers import decide_offers
from recommender.publish import refresh_rules

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
_PRODUCTS = 5_000
_CATEGORIES = 40
_LAUNCHES = 3
_A_WORKERS_BATCH = 200
_SKUS = [f"P{code:05d}" for code in range(_PRODUCTS)]


def measure_batch(people: int = 20_000) -> dict[str, float]:
    """`batch_profiles_per_s` by the processor's time, the best of three launches, because neighbours on the machine
    slow a processor down; `batch_wall_per_s` the same by the clock, and `batch_of_200_per_s` in pieces. On SQLite.
    """
    with tempfile.TemporaryDirectory(prefix="postilion-bench-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'shop.db'}")
        metadata.create_all(database.engine)
        with database.transaction() as connection:
            ids = _fill(connection, people)
            assert refresh_rules(connection, NOW).is_published
        _launch(database, ids[:300], "first", 300)  # reads the rules into memory
        with collecting_seldom():  # as the process that composes mails does
            whole = [_launch(database, ids, f"launch {number}", people) for number in range(_LAUNCHES)]
            pieces = [_launch(database, ids, f"pieces {number}", _A_WORKERS_BATCH) for number in range(_LAUNCHES)]
        database.close()
    return {
        "batch_profiles_per_s": people / min(cpu for cpu, _ in whole),
        "batch_wall_per_s": people / min(wall for _, wall in whole),
        "batch_of_200_per_s": people / min(cpu for cpu, _ in pieces),
    }


def _launch(database: Database, ids: Sequence[int], key: str, size: int) -> tuple[float, float]:
    """Seconds of the processor and of the clock until all have their decision, `size` people a call."""
    offer = Offer("cross_sell")
    wall, cpu = time.perf_counter(), time.process_time()
    with database.transaction() as connection:
        for some in batches(ids, size):
            decided = decide_offers(connection, offer, some, surface="email", key=key, now=NOW)
            assert all(len(one.items) == offer.recommend.count for one in decided.values())
    return time.process_time() - cpu, time.perf_counter() - wall


def _fill(connection: Connection, people: int) -> Sequence[int]:
    chance = np.random.default_rng(1)
    popularity = 1 / (20 + np.arange(_PRODUCTS))
    popularity /= popularity.sum()
    connection.execute(insert(product), [_product(code, sku) for code, sku in enumerate(_SKUS)])
    ids = list(range(1, people + 1))
    connection.execute(insert(profile), [_profile(number) for number in ids])
    orders: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    for number in ids:
        for _ in range(int(chance.integers(1, 5))):
            order = len(orders) + 1
            at = to_micros(NOW - timedelta(hours=float(chance.integers(1, 9_000))))
            first = chance.choice(_PRODUCTS, 2, p=popularity)
            picked = sorted({*first.tolist(), *((first * 7 + 3) % _PRODUCTS).tolist()})
            orders.append((order, f"o{order}", "order", number, at, "EUR", 4_000, len(picked), 0))
            lines += [(order, place, "product", _SKUS[code], 1, 1_000) for place, code in enumerate(picked, start=1)]
        if chance.random() < 0.2:
            at = to_micros(NOW - timedelta(hours=float(chance.integers(1, 200))))
            seen = f'{{"sku":"{_SKUS[int(chance.integers(_PRODUCTS))]}"}}'
            events.append((number, "product_viewed", at, at, "bench", 0, seen, 0))
    insert_fresh(connection, customer_order, ["id", "key", "kind", "profile_id", "placed_at", "currency", "total",
                                              "line_count", "transaction_no"], orders)  # fmt: skip
    insert_fresh(connection, order_line, ["order_id", "line_no", "kind", "sku", "quantity", "amount"], lines)
    insert_fresh(connection, customer_event, ["profile_id", "name", "occurred_at", "received_at", "source",
                                              "is_historical", "properties", "transaction_no"], events)  # fmt: skip
    return ids


def _profile(number: int) -> dict[str, object]:
    return {"id": number, "status": "active", "created_at": NOW, "updated_at": NOW, "attributes": {}}


def _product(code: int, sku: str) -> dict[str, object]:
    return {"sku": sku, "name": f"Product {code}", "category": f"Category {code % _CATEGORIES}", "price": 500 + code,
            "currency": "EUR", "stock": 20 if code % 25 else 0, "url": f"https://shop.example/{sku}", "attributes": {},
            "updated_at": NOW}  # fmt: skip


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--people", type=int, default=20_000)
    print(json.dumps({name: round(value, 1) for name, value in measure_batch(words.parse_args().people).items()}))
