from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert

from recommender.lift import Arm, difference_of_means, difference_of_shares, measure_lift
from recommender.tables import offer_decision
from tests.recommender.shop import NOW, Bought, add_orders, add_profiles

DAY = timedelta(days=1)


def decide(connection: Connection, profile_id: int, *, is_holdout: bool, at: int = 0) -> None:
    row = {
        "id": f"{profile_id}-{at}",
        "offer": "cross_sell",
        "surface": "email",
        "profile_id": profile_id,
        "is_holdout": is_holdout,
        "fallback_level": "rules",
        "items": [],
        "decided_at": NOW + at * DAY,
    }
    connection.execute(insert(offer_decision), [row])


def test_the_published_interval_comes_out_when_two_shares_are_compared() -> None:
    # Newcombe (1998), table II, case (a), method 10: 56/70 - 48/80 = 0.2000, interval 0.0524 to 0.3339.
    found = difference_of_shares(Arm(70, 56), Arm(80, 48))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.is_certain
    # Case (e): 5/56 - 0/29, interval -0.0381 to 0.1926.
    small = difference_of_shares(Arm(56, 5), Arm(29, 0))
    assert (small.low, small.high) == pytest.approx((-0.0381, 0.1926), abs=5e-5)
    assert not small.is_certain


def test_the_interval_is_welchs_when_money_is_compared() -> None:
    treated = Arm(4, 2, 2, 600, 100_000 + 250_000)  # 0, 0, 100, 500: mean 150, variance 86,666.7
    held_out = Arm(2, 1, 1, 200, 40_000)  # 0, 200: mean 100, variance 20,000
    found = difference_of_means(treated, held_out)
    assert found.value == 50
    assert found.high - found.value == pytest.approx(1.959964 * (260_000 / 3 / 4 + 20_000 / 2) ** 0.5)


def test_orders_after_the_decision_count_when_lift_is_measured(connection: Connection) -> None:
    alice, bob, carol, dave, erin = add_profiles(connection, 5)
    for person in (alice, bob, carol):
        decide(connection, person, is_holdout=False)
    decide(connection, alice, is_holdout=False, at=3)
    for person in (dave, erin):
        decide(connection, person, is_holdout=True)
    add_orders(connection, [Bought(NOW + DAY, ("A",)), Bought(NOW + 2 * DAY, ("A",))], profile_id=alice)
    add_orders(connection, [Bought(NOW + 7 * DAY, ("A",)), Bought(NOW - DAY, ("A",))], profile_id=bob)
    add_orders(connection, [Bought(NOW, ("A",))], profile_id=dave, total=300)
    add_orders(connection, [Bought(NOW + DAY, ("A",))], profile_id=carol, currency="EUR")
    found = measure_lift(connection, "cross_sell", start=NOW, end=NOW + DAY, currency="GBP")
    assert found.treated == Arm(3, 1, 2, 2000, 4_000_000.0, 4.0)
    assert found.held_out == Arm(2, 1, 1, 300, 90_000.0, 1.0)
    assert found.buyers is not None
    assert found.buyers.value == pytest.approx(1 / 3 - 1 / 2)
    assert found.revenue is not None
    assert found.revenue.value == pytest.approx(2000 / 3 - 150)
    assert found.orders is not None
    assert found.orders.value == pytest.approx(2 / 3 - 1 / 2)
    assert found.orders.high - found.orders.value == pytest.approx(1.959964 * ((4 / 3) / 3 + 0.5 / 2) ** 0.5)
    assert found.extra_orders is not None
    assert found.extra_orders.value == pytest.approx(2 - 3 / 2)
    assert found.extra_revenue is not None
    assert found.extra_revenue.low == pytest.approx(3 * found.revenue.low)


def test_arms_that_chance_would_not_make_are_told(connection: Connection) -> None:
    people = add_profiles(connection, 60)
    for person in people:
        decide(connection, person, is_holdout=person in people[:30])

    def odd(holdout: str) -> float | None:
        share = Decimal(holdout)
        found = measure_lift(connection, "cross_sell", start=NOW, end=NOW + DAY, currency="GBP", holdout=share)
        return found.odd_split

    assert odd("50") is None
    assert odd("0") is None
    chance = odd("10")
    assert chance is not None
    assert chance < 1e-9


def test_nothing_is_compared_when_nobody_was_held_out(connection: Connection) -> None:
    (alice,) = add_profiles(connection, 1)
    decide(connection, alice, is_holdout=False)
    found = measure_lift(connection, "cross_sell", start=NOW, end=NOW + DAY, currency="GBP")
    assert found.treated.profile_count == 1
    assert found.buyers is None
    assert found.revenue is None
