from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from core.definitions import publish
from core.runtime import Runtime
from customers.tables import product
from recommender.publish import refresh_rules
from recommender.serving.desk import Desk
from tests.recommender.shop import NOW, PLANTED, add_orders, add_products, planted_orders


@pytest.fixture
def stocked(runtime: Runtime) -> Runtime:
    """The planted shop, its rules published."""
    with runtime.database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        assert refresh_rules(connection, NOW).is_published
    return runtime


def test_the_stock_stays_the_same_when_nothing_has_changed(stocked: Runtime) -> None:
    desk = Desk(stocked)
    assert asyncio.run(desk.stock()) is desk.refresh()


def test_a_sold_out_product_is_noticed_when_the_catalogue_changes(stocked: Runtime) -> None:
    desk = Desk(stocked)
    before = desk.refresh()
    assert before.shelf.is_for_sale("SOA00")
    with stocked.database.transaction() as connection:
        changed = {"stock": 0, "updated_at": NOW + timedelta(minutes=1)}
        connection.execute(update(product).where(product.c.sku == "SOA00").values(**changed))
    after = desk.refresh()
    assert not after.shelf.is_for_sale("SOA00")
    assert after.shelf.is_for_sale("SOA01")
    assert before.shelf.is_for_sale("SOA00"), "an answer under way keeps what it began with"
    assert after.index is before.index


def test_a_new_rule_set_is_taken_when_one_was_published(stocked: Runtime) -> None:
    desk = Desk(stocked)
    before = desk.refresh()
    with stocked.database.transaction() as connection:
        second = refresh_rules(connection, NOW + timedelta(hours=1))
    after = desk.refresh()
    assert (before.index.rule_set_id, after.index.rule_set_id) == (second.id - 1, second.id)
    assert after.shelf is before.shelf
    assert before.index.positions, "what is mapped stays mapped"


def test_a_published_offer_is_taken_with_its_conditions_when_it_has_some(stocked: Runtime) -> None:
    desk = Desk(stocked)
    assert desk.refresh().offers == {}
    workspace = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}
    offer = {"offer": "tea", "recommend": {"where": {"category": "Tea"}}}
    with stocked.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
        publish(connection, "offer", "tea", document=offer, source="", file="offers/tea.yaml", now=NOW)
    stock = desk.refresh()
    tea = stock.offer("tea", 4)
    assert tea is not None
    assert tea.recommend.count == 4
    counter = asyncio.run(desk.counter(stock, tea))
    assert (counter.shelf.is_for_sale("TEA00"), counter.shelf.is_for_sale("SOA00")) == (True, False)
    with stocked.database.transaction() as connection:
        changed = {"stock": 0, "updated_at": NOW + timedelta(minutes=1)}
        connection.execute(update(product).where(product.c.sku == "TEA00").values(**changed))
    ready = desk.refresh().find_counter(tea)
    assert ready is not None, "nobody waits for the products that fit"
    assert not ready.shelf.is_for_sale("TEA00")


def test_only_what_the_rules_know_is_in_memory_when_the_catalogue_is_large(stocked: Runtime) -> None:
    with stocked.database.transaction() as connection:
        connection.execute(delete(product).where(product.c.sku == PLANTED["SOA00"]))
    stock = Desk(stocked, most_products=50).refresh()
    assert not stock.shelf.is_whole
    assert stock.shelf.is_for_sale("SOA00")
    assert stock.shelf.find(PLANTED["SOA00"]) is None
