from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, update

from customers.tables import order_line
from recommender import baskets as baskets_module
from recommender.baskets import Baskets, baskets_of, read_baskets
from tests.recommender.shop import NOW, Bought, add_orders, planted_orders

shops = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=12)


def as_sets(baskets: Baskets) -> list[set[str]]:
    return [
        {baskets.skus[code] for code in baskets.items[start:end]}
        for start, end in zip(baskets.starts[:-1], baskets.starts[1:], strict=True)
    ]


@given(shops)
def test_every_basket_keeps_its_products_when_it_becomes_numbers(orders: list[list[str]]) -> None:
    baskets = baskets_of(enumerate(orders))
    assert as_sets(baskets) == [set(order) for order in orders]
    assert baskets.starts.dtype == baskets.items.dtype == np.int32
    assert baskets.placed_at.tolist() == list(range(len(orders)))
    pairs = zip(baskets.starts[:-1], baskets.starts[1:], strict=True)
    assert all(np.diff(baskets.items[start:end]).min(initial=1) > 0 for start, end in pairs)


@given(shops, st.integers(1, 4))
def test_the_most_frequent_products_stay_when_a_basket_is_capped(orders: list[list[str]], size: int) -> None:
    baskets = baskets_of(enumerate(orders))
    counts = dict(zip(baskets.skus, baskets.item_counts().tolist(), strict=True))
    for before, after in zip(as_sets(baskets), as_sets(baskets.capped(size)), strict=True):
        assert after <= before
        assert len(after) == min(size, len(before))
        assert min((counts[sku] for sku in after), default=0) >= max((counts[sku] for sku in before - after), default=0)


def test_orders_are_read_without_returns_and_fees_when_they_are_streamed(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baskets_module, "_PAGE_LINES", 2)
    hour = timedelta(hours=1)
    add_orders(connection, [Bought(NOW - 3 * hour, ("A", "B", "C")), Bought(NOW - 2 * hour, ("B", "POST"))])
    add_orders(connection, [Bought(NOW - hour, ("A", "C"))], kind="return", key="return:1")
    add_orders(connection, [Bought(NOW, ("A",))], key="late")
    connection.execute(update(order_line).where(order_line.c.sku == "POST").values(kind="fee"))
    assert as_sets(read_baskets(connection)) == [{"A", "B", "C"}, {"B"}, {"A"}]
    assert as_sets(read_baskets(connection, end=NOW)) == [{"A", "B", "C"}, {"B"}]
    assert as_sets(read_baskets(connection, start=NOW - 2 * hour)) == [{"B"}, {"A"}]


def test_a_product_counts_once_when_an_order_has_it_on_two_lines(connection: Connection) -> None:
    add_orders(connection, [Bought(NOW, ("A", "B"))])
    (number,) = connection.execute(order_line.select().with_only_columns(order_line.c.order_id).distinct()).scalars()
    connection.execute(
        insert(order_line),
        [{"order_id": number, "line_no": 9, "kind": "product", "sku": "A", "quantity": 2, "amount": 1}],
    )
    assert read_baskets(connection).item_counts().tolist() == [1, 1]


def test_there_are_no_baskets_when_nothing_was_ordered(connection: Connection) -> None:
    baskets = read_baskets(connection)
    assert len(baskets) == 0
    assert baskets.skus == ()
    assert len(baskets.capped(3)) == 0


def test_all_orders_come_back_when_they_fill_several_pages(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baskets_module, "_PAGE_LINES", 97)
    orders = planted_orders(300)
    add_orders(connection, orders)
    assert as_sets(read_baskets(connection)) == [set(order.skus) for order in orders]
