"""What runs out is offered again when it is due, what is bought most often first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, update

from customers.tables import product, profile
from insights.replenishment import Interval, record_intervals
from recommender import offers
from recommender.choice import Level
from recommender.eligibility import Withheld
from recommender.offer_definition import Fallback, Model, Offer, Recommend
from recommender.offers import OfferDecision, decide_offers, propose_to_nobody
from segments.language.rules import Comparison, Matcher, Operator, PropertyTest
from tests.recommender.shop import NOW, Bought, add_event, add_orders, add_profiles

DAY = timedelta(days=1)


def refill(**recommend: Any) -> Offer:
    return Offer("refill", Recommend(**{"model": Model.REPLENISHMENT, "holdout": Decimal(0), **recommend}))


def decide(connection: Connection, offer: Offer, *profile_ids: int, key: str = "mail", **more: Any) -> Any:
    decided = decide_offers(connection, offer, profile_ids, surface="email", key=key, now=NOW, **more)
    return decided if len(profile_ids) > 1 else decided[profile_ids[0]]


def skus(decision: OfferDecision) -> list[str]:
    return [item.sku for item in decision.items]


@pytest.fixture
def pantry(shop: Connection) -> Connection:
    """Soap lasts 30 days and tea 60; the garden lasts for ever."""
    shop.execute(update(product).where(product.c.category.in_(["Soap", "Tea"])).values(is_replenishable=True))
    lasting = {"SOA": 30.0, "TEA": 60.0}
    intervals = [Interval(f"{kind}{place:02d}", 40, days, days - 5, days + 5) for kind, days in lasting.items()
                 for place in range(5)]  # fmt: skip
    record_intervals(shop, intervals, NOW)
    return shop


@pytest.fixture
def alice(pantry: Connection) -> int:
    """She buys soap every month and tea every second; a spade she bought twice, and one kind of soap once."""
    (number,) = add_profiles(pantry, 1)
    for place, ago in enumerate((122, 92, 62, 32)):
        goods = ["SOA01", *(["TEA01"] if place % 2 == 0 else []), *(["GAR00"] if place > 1 else [])]
        add_orders(pantry, [Bought(NOW - ago * DAY, tuple(goods))], profile_id=number, key=f"alice {place}")
    add_orders(pantry, [Bought(NOW - 31 * DAY, ("SOA02",))], profile_id=number, key="once")
    return number


def test_what_is_due_is_offered_most_often_bought_first_when_alice_buys_it_again_and_again(
    pantry: Connection, alice: int
) -> None:
    decision = decide(pantry, refill(fallback=Fallback.NONE), alice)
    assert skus(decision) == ["SOA01", "TEA01"]
    assert [item.score for item in decision.items] == [pytest.approx(4 / 5), pytest.approx(2 / 5)]
    assert {item.reason for item in decision.items} == {"you may need it again soon"}
    assert decision.fallback_level is Level.REPLENISHMENT
    assert decide(pantry, refill(fallback=Fallback.NONE), alice) == decision


def test_nothing_is_offered_when_it_lasts_still_or_is_long_past(pantry: Connection) -> None:
    early, soon, late, split = add_profiles(pantry, 4)
    for person, days in ((early, (50, 20)), (soon, (54, 24)), (late, (130, 100)), (split, (30.1, 30))):
        for place, ago in enumerate(days):
            add_orders(pantry, [Bought(NOW - ago * DAY, ("SOA01",))], profile_id=person, key=f"{person} {place}")
    decided = decide(pantry, refill(fallback=Fallback.NONE), early, soon, late, split)
    assert {person: skus(one) for person, one in decided.items()} == {early: [], soon: ["SOA01"], late: [], split: []}


def test_best_sellers_fill_up_when_less_is_due_than_there_are_places(pantry: Connection, alice: int) -> None:
    decision = decide(pantry, refill(count=5), alice)
    assert skus(decision)[:2] == ["SOA01", "TEA01"]
    assert len(set(skus(decision))) == 5
    assert decision.fallback_level is Level.BESTSELLERS
    assert decision.items[2].reason == "a best seller"


def test_the_filters_hold_when_something_is_due(pantry: Connection, alice: int) -> None:
    tea = (PropertyTest("category", Matcher((Comparison(Operator.EQ, "Tea"),))),)
    only = {"fallback": Fallback.NONE}
    assert skus(decide(pantry, refill(where=tea, **only), alice, key="tea")) == ["TEA01"]
    assert skus(decide(pantry, refill(exclude_owned=True, **only), alice, key="own")) == ["SOA01", "TEA01"]
    pantry.execute(update(product).where(product.c.sku == "TEA01").values(stock=0))
    assert skus(decide(pantry, refill(**only), alice, key="stock")) == ["SOA01"]
    add_event(pantry, alice, "product_added", NOW - timedelta(hours=1), sku="SOA01")
    assert skus(decide(pantry, refill(**only), alice, key="cart")) == []


def test_nothing_is_reckoned_when_alice_objected(pantry: Connection, alice: int) -> None:
    pantry.execute(update(profile).where(profile.c.id == alice).values(objected_at=NOW))
    assert decide(pantry, refill(), alice).withheld is Withheld.OBJECTED


def test_the_held_out_see_best_sellers_when_something_is_due(pantry: Connection, alice: int) -> None:
    decision = decide(pantry, refill(holdout=Decimal(100), count=2), alice)
    assert decision.is_holdout
    assert decision.fallback_level is Level.BESTSELLERS


def test_the_held_out_see_as_much_as_the_others_when_only_what_is_due_is_offered(
    pantry: Connection, alice: int
) -> None:
    (nobody,) = add_profiles(pantry, 1)
    decided = decide(pantry, refill(holdout=Decimal(100), fallback=Fallback.NONE), alice, nobody)
    assert [len(decided[number].items) for number in (alice, nobody)] == [2, 0]
    assert decided[alice].fallback_level is Level.BESTSELLERS


def test_many_are_offered_the_same_when_each_is_asked_alone(
    pantry: Connection, alice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = add_profiles(pantry, 5)
    alone = {number: decide(pantry, refill(), number, records=False) for number in (alice, *others)}
    monkeypatch.setattr(offers, "_MANY", 2)
    assert decide(pantry, refill(), alice, *others, records=False) == alone


def test_best_sellers_are_offered_when_the_reader_is_unknown(pantry: Connection) -> None:
    proposed = propose_to_nobody(pantry, refill(), ["SOA01"], surface="widget", now=NOW)
    assert len(proposed.items) == 3
    assert proposed.fallback_level is Level.BESTSELLERS
    assert "SOA01" not in [item.sku for item in proposed.items]
