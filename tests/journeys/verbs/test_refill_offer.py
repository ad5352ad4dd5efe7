"""`offer` with the model `replenishment`: a journey shows what its person uses up, and says nothing to others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from customers.tables import product, profile
from insights.replenishment import Interval, record_intervals
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town
from tests.journeys.verbs.test_offers import mailed
from tests.recommender.shop import Bought, add_orders


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    """A shop with two teas that last 30 days; nobody has bought yet."""
    town = make_town()
    town.publish("offer", "offer: refill\nrecommend: {model: replenishment, count: 1, holdout: 0%, fallback: none}\n")
    now = town.clock.now()
    with town.runtime.database.transaction() as connection:
        rows: list[dict[str, object]] = [
            {"sku": sku, "name": sku, "category": "Tea", "price": 100, "currency": "GBP", "stock": 5,
             "is_hidden": False, "is_replenishable": True, "attributes": {}, "updated_at": now}
            for sku in ("a1", "a2")
        ]  # fmt: skip
        connection.execute(insert(product), rows)
        record_intervals(connection, [Interval(sku, 40, 30.0, 25.0, 35.0) for sku in ("a1", "a2")], now)
    town.person("alice")
    return town


def _bought(town: Town, *orders: tuple[int, tuple[str, ...]]) -> None:
    with town.runtime.database.transaction() as connection:
        alice = connection.execute(select(profile.c.id)).scalar_one()
        placed = [Bought(town.clock.now() - timedelta(days=days), skus) for days, skus in orders]
        add_orders(connection, placed, profile_id=alice)


def test_a_journey_shows_what_alice_buys_most_often_when_it_is_due(town: Town) -> None:
    _bought(town, (91, ("a2",)), (61, ("a1", "a2")), (31, ("a1", "a2")))
    assert mailed(town, "refill", ()) == ("a2", "sent")


def test_what_she_buys_next_often_moves_up_when_the_first_is_sold_out_at_the_time_of_sending(town: Town) -> None:
    _bought(town, (91, ("a2",)), (61, ("a1", "a2")), (31, ("a1", "a2")))
    assert mailed(town, "refill", ("a2",)) == ("a1", "sent")


def test_a_journey_sends_nothing_when_nothing_is_due(town: Town) -> None:
    _bought(town, (40, ("a1",)), (10, ("a1", "a2")))
    assert mailed(town, "refill", ()) == ("", "no_offer")
