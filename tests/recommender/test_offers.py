from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from core.definitions import publish
from customers.tables import customer_order, order_line, product, profile
from delivery.tables import message
from recommender.choice import Level
from recommender.eligibility import Withheld
from recommender.offer_definition import Basis, Code, Fallback, Model, Offer, Recommend, ShowLimit
from recommender.offers import OfferDecision, decide_offers, is_held_out, propose_to_nobody
from recommender.published import get_index
from recommender.tables import offer_decision, offer_impression
from segments.language.rules import AttributeRule, Comparison, Matcher, Operator, PropertyTest
from tests.recommender.shop import (
    ALL_SKUS,
    CATEGORIES,
    NOW,
    PLANTED,
    Bought,
    add_event,
    add_orders,
    add_products,
    add_profiles,
    skus_of,
)

DAY = timedelta(days=1)


def an_offer(**recommend: Any) -> Offer:
    return Offer("cross_sell", Recommend(**{"holdout": Decimal(0), **recommend}))


def decide(
    connection: Connection, offer: Offer, *profile_ids: int, key: str = "launch", **more: Any
) -> dict[int, OfferDecision]:
    return decide_offers(connection, offer, profile_ids, surface="email", key=key, now=NOW, **more)


def skus(decision: OfferDecision) -> list[str]:
    return [item.sku for item in decision.items]


@pytest.fixture
def alice(shop: Connection) -> int:
    """She bought the left sides of two planted pairs three days ago."""
    (number,) = add_profiles(shop, 1)
    add_orders(shop, [Bought(NOW - 3 * DAY, ("SOA00", "TEA01"))], profile_id=number)
    return number


def test_the_planted_companions_are_offered_when_alice_bought_the_left_side(shop: Connection, alice: int) -> None:
    decision = decide(shop, an_offer(), alice)[alice]
    assert set(skus(decision)[:2]) == {PLANTED["SOA00"], PLANTED["TEA01"]}
    first = decision.items[0]
    other = {PLANTED["SOA00"]: "Soap 00", PLANTED["TEA01"]: "Tea 01"}[first.sku]
    assert first.reason == f"bought together with {other}"
    assert first.name == f"{ {'TEA': 'Tea', 'GAR': 'Garden'}[first.sku[:3]] } {first.sku[3:]}"
    assert (first.currency, first.url) == ("GBP", f"https://shop.example/{first.sku}")
    assert first.price == 500 + 10 * int(first.sku[3:])
    assert not decision.is_holdout


def test_the_decision_stays_when_the_same_cause_asks_again(shop: Connection, alice: int) -> None:
    before = decide(shop, an_offer(), alice)
    add_orders(shop, [Bought(NOW - DAY, (PLANTED["SOA00"], "GAR02"))], profile_id=alice, key="later")
    assert decide(shop, an_offer(), alice) == before
    assert decide(shop, an_offer(), alice, key="another launch") != before
    assert shop.execute(select(func.count()).select_from(offer_decision)).scalar_one() == 2


def test_the_price_is_todays_when_an_old_decision_is_shown(shop: Connection, alice: int) -> None:
    first = decide(shop, an_offer(), alice)[alice].items[0]
    shop.execute(update(product).where(product.c.sku == first.sku).values(price=1))
    assert decide(shop, an_offer(), alice)[alice].items[0].price == 1


def test_nothing_unwanted_is_offered_when_products_are_filtered(shop: Connection, alice: int) -> None:
    shop.execute(update(product).where(product.c.sku == PLANTED["SOA00"]).values(stock=0))
    shop.execute(update(product).where(product.c.sku == PLANTED["TEA01"]).values(is_hidden=True))
    add_event(shop, alice, "product_added", NOW - timedelta(hours=1), product_id="TEA00")
    offered = skus(decide(shop, an_offer(count=100), alice)[alice])
    assert not {PLANTED["SOA00"], PLANTED["TEA01"], "SOA00", "TEA01", "TEA00"} & set(offered)
    assert len(offered) == 100


def test_a_product_returns_when_it_was_bought_long_ago_or_runs_out(shop: Connection) -> None:
    bob, carol, dave = add_profiles(shop, 3)
    offer = an_offer(count=len(ALL_SKUS))
    for person in (bob, carol):
        add_orders(shop, [Bought(NOW - 40 * DAY, ("SOA01",))], profile_id=person)
    add_orders(shop, [Bought(NOW - 2 * DAY, ("SOA01",))], profile_id=dave)
    assert "SOA01" in skus(decide(shop, offer, bob)[bob])
    assert "SOA01" not in skus(decide(shop, an_offer(count=200, exclude_owned=True), carol)[carol])
    assert "SOA01" not in skus(decide(shop, offer, dave)[dave])
    shop.execute(update(product).where(product.c.sku == "SOA01").values(is_replenishable=True))
    assert "SOA01" in skus(decide(shop, offer, dave, key="later")[dave])


def test_the_cart_speaks_when_nothing_was_bought_yet(shop: Connection) -> None:
    (dave,) = add_profiles(shop, 1)
    add_event(shop, dave, "product_viewed", NOW - 2 * DAY, product_id="GAR02", price=3)
    add_event(shop, dave, "cart_updated", NOW - DAY, cart_id="c", items=[{"sku": "TEA04"}, "SOA03"])
    decision = decide(shop, an_offer(count=3), dave)[dave]
    assert set(skus(decision)) == {PLANTED["GAR02"], PLANTED["TEA04"], PLANTED["SOA03"]}
    assert decision.fallback_level is Level.RULES
    emptied = an_offer(count=1, of=Basis.CART, fallback=Fallback.NONE)
    add_event(shop, dave, "cart_emptied", NOW - timedelta(hours=2), cart_id="c")
    assert skus(decide(shop, emptied, dave, key="b")[dave]) == []


def test_the_entry_counts_alone_when_the_offer_goes_with_it(shop: Connection, alice: int) -> None:
    offer = an_offer(count=1, of=Basis.ENTRY)
    assert skus(decide(shop, offer, alice, entry_skus={alice: ["GAR00"]})[alice]) == [PLANTED["GAR00"]]
    assert skus(decide(shop, offer, alice, key="without")[alice])[0] in PLANTED.values()


def test_best_sellers_are_offered_when_somebody_is_new(shop: Connection) -> None:
    (dave,) = add_profiles(shop, 1)
    decision = decide(shop, an_offer(), dave)[dave]
    assert skus(decision) == list(get_index(shop).best_sellers()[:3])
    assert decision.fallback_level is Level.BESTSELLERS
    assert decision.items[0].reason == "a best seller"


def test_the_category_leads_when_rules_know_too_little(shop: Connection) -> None:
    (dave,) = add_profiles(shop, 1)
    shop.execute(
        insert(product), [{"sku": "SOA99", "name": "New soap", "category": "Soap", "updated_at": NOW, "attributes": {}}]
    )
    add_event(shop, dave, "product_viewed", NOW - DAY, product_id="SOA99")
    decision = decide(shop, an_offer(), dave)[dave]
    assert {sku[:3] for sku in skus(decision)} == {"SOA"}
    assert decision.fallback_level is Level.CATEGORY
    assert decision.items[0].reason == "a favourite in Soap"


def test_the_whole_catalogue_fills_up_when_nothing_was_ever_sold(connection: Connection) -> None:
    (dave,) = add_profiles(connection, 1)
    add_products(connection)
    decision = decide(connection, an_offer(), dave)[dave]
    assert skus(decision) == sorted(ALL_SKUS)[:3]
    assert decision.fallback_level is Level.CATALOGUE


def test_best_sellers_are_counted_when_nothing_was_mined_yet(connection: Connection) -> None:
    (dave,) = add_profiles(connection, 1)
    add_products(connection)
    add_orders(connection, [Bought(NOW - DAY, ("TEA03", "SOA05")), Bought(NOW - 2 * DAY, ("TEA03",))])
    decision = decide(connection, an_offer(count=2), dave)[dave]
    assert skus(decision) == ["TEA03", "SOA05"]
    assert decision.fallback_level is Level.BESTSELLERS


def test_the_answer_is_empty_when_everything_is_sold_out_or_there_is_no_catalogue(connection: Connection) -> None:
    (dave,) = add_profiles(connection, 1)
    assert decide(connection, an_offer(), dave)[dave].items == ()
    add_products(connection)
    connection.execute(update(product).values(stock=0))
    decision = decide(connection, an_offer(), dave, key="later")[dave]
    assert (decision.items, decision.fallback_level) == ((), Level.NONE)


def test_fewer_are_offered_when_there_is_no_fallback(shop: Connection, alice: int) -> None:
    decision = decide(shop, an_offer(count=100, fallback=Fallback.NONE), alice)[alice]
    assert 2 <= len(decision.items) < 100
    assert decision.fallback_level is Level.RULES


def test_categories_are_mixed_when_the_offer_caps_them(shop: Connection) -> None:
    (dave,) = add_profiles(shop, 1)
    offered = skus(decide(shop, an_offer(count=6, per_category=2, model=Model.BESTSELLERS), dave)[dave])
    assert sorted(sku[:3] for sku in offered) == ["GAR", "GAR", "SOA", "SOA", "TEA", "TEA"]


def test_only_fitting_products_are_offered_when_the_offer_asks_for_some(shop: Connection, alice: int) -> None:
    cheap_tea = (
        PropertyTest("category", Matcher((Comparison(Operator.EQ, "Tea"),))),
        PropertyTest("price", Matcher((Comparison(Operator.LT, 600),))),
    )
    offered = skus(decide(shop, an_offer(count=50, where=cheap_tea), alice)[alice])
    assert sorted(offered) == [sku for sku in skus_of("Tea")[:10] if sku != "TEA01"]


def test_the_held_out_see_best_sellers_when_the_worth_is_measured(shop: Connection) -> None:
    people = add_profiles(shop, 400)
    for person in people:
        add_orders(shop, [Bought(NOW - 40 * DAY, ("SOA00",))], profile_id=person)
    offer = an_offer(holdout=Decimal(10))
    decided = decide(shop, offer, *people)
    held_out = [person for person in people if decided[person].is_holdout]
    assert held_out == [person for person in people if is_held_out(offer, person)]
    assert 20 <= len(held_out) <= 60
    assert all(decided[person].fallback_level is Level.BESTSELLERS for person in held_out)
    assert all(skus(decided[person])[0] == PLANTED["SOA00"] for person in people if person not in held_out)


def test_nobody_is_offered_anything_when_the_offer_is_not_for_them(shop: Connection, alice: int) -> None:
    erased, bob = add_profiles(shop, 2)
    shop.execute(update(profile).where(profile.c.id == erased).values(status="erased"))
    unknown = 999_999
    decided = decide(shop, an_offer(), alice, erased, unknown)
    assert [decided[person].withheld for person in (alice, erased, unknown)] == [
        None,
        Withheld.NO_PROFILE,
        Withheld.NO_PROFILE,
    ]
    early = Offer("cross_sell", valid_from=NOW + DAY)
    late = Offer("cross_sell", valid_to=NOW)
    paused = Offer("cross_sell", is_live=False)
    assert decide(shop, early, bob)[bob].withheld is Withheld.NOT_NOW
    assert decide(shop, late, bob)[bob].withheld is Withheld.NOT_NOW
    assert decide(shop, paused, bob)[bob].withheld is Withheld.NOT_LIVE
    assert shop.execute(select(func.count()).select_from(offer_decision)).scalar_one() == 1


def test_only_the_eligible_are_offered_something_when_the_offer_has_conditions(shop: Connection, alice: int) -> None:
    document = {
        "workspace": "shop",
        "timezone": "Europe/London",
        "currency": "GBP",
        "attributes": {"tier": {"kind": "text"}},
    }
    publish(shop, "workspace", "shop", document=document, source="", file="workspace.yaml", now=NOW)
    (bob,) = add_profiles(shop, 1)
    shop.execute(update(profile).where(profile.c.id == alice).values(country="GB"))
    british = AttributeRule("country", Matcher((Comparison(Operator.EQ, "GB"),)))
    decided = decide(shop, Offer("cross_sell", eligible=british), alice, bob)
    assert decided[alice].items
    assert decided[bob].withheld is Withheld.NOT_ELIGIBLE


def test_an_offer_rests_when_it_was_shown_often_enough(shop: Connection, alice: int) -> None:
    limited = Offer("cross_sell", limits=(ShowLimit(2, 30 * DAY),))
    for day, key in ((40, "a"), (20, "b"), (10, "c")):
        decision = decide(shop, Offer("cross_sell"), alice, key=key)[alice]
        row = {"decision_id": decision.id, "kind": "shown", "occurred_at": NOW - day * DAY}
        shop.execute(insert(offer_impression), [row | {"sku": sku} for sku in skus(decision)])
    assert decide(shop, limited, alice, key="d")[alice].withheld is Withheld.SHOWN_ENOUGH
    thrice = Offer("cross_sell", limits=(ShowLimit(3, 30 * DAY),))
    assert decide(shop, thrice, alice, key="d")[alice].withheld is None
    elsewhere = Offer("cross_sell", limits=(ShowLimit(1, 30 * DAY, channel="widget"),))
    assert decide(shop, elsewhere, alice, key="e")[alice].withheld is None


def test_an_offer_rests_when_it_was_mailed_often_enough(shop: Connection, alice: int) -> None:
    for day, key, status in ((40, "a", "sent"), (20, "b", "sent"), (10, "c", "sent"), (5, "d", "skipped")):
        decision = decide(shop, Offer("cross_sell"), alice, key=key)[alice]
        row = {"id": key, "kind": "marketing", "channel": "email", "profile_id": alice, "topic": "t", "template": "t"}
        row |= {"origin_kind": "campaign", "origin": "c", "origin_id": "l", "status": status, "attempt_count": 1}
        row |= {"decision_id": decision.id, "due_at": NOW, "first_due_at": NOW, "created_at": NOW, "token_id": day}
        row |= {"sent_at": NOW - day * DAY if status == "sent" else None}
        shop.execute(insert(message).values(**row))
    seen = {"decision_id": decide(shop, Offer("cross_sell"), alice, key="c")[alice].id, "kind": "shown"}
    shop.execute(insert(offer_impression).values(**seen, occurred_at=NOW - 9 * DAY))  # the same showing, on opening

    def withheld(shows: int, channel: str | None = None) -> Withheld | None:
        offer = Offer("cross_sell", limits=(ShowLimit(shows, 30 * DAY, channel),))
        return decide(shop, offer, alice, key="now", records=False)[alice].withheld

    assert [withheld(2), withheld(3), withheld(2, "email"), withheld(1, "sms")] == [
        Withheld.SHOWN_ENOUGH,
        None,
        Withheld.SHOWN_ENOUGH,
        None,
    ]


def test_the_code_of_all_comes_with_the_offer_and_none_without_products(shop: Connection, alice: int) -> None:
    (bob,) = add_profiles(shop, 1)
    offer = Offer("cross_sell", code=Code(static="TEN", expires_after=3 * DAY))
    found = decide(shop, offer, alice)[alice]
    assert (found.code, found.code_ends_at) == ("TEN", NOW + 3 * DAY)
    nothing = Offer("none_left", Recommend(fallback=Fallback.NONE, holdout=Decimal(0)), code=Code(static="TEN"))
    assert decide(shop, nothing, bob)[bob].code is None
    pooled = Offer("pooled", code=Code(pool="ten"))
    assert decide(shop, pooled, alice)[alice].code is None


def test_returns_and_fees_are_no_purchases_when_a_history_is_read(shop: Connection) -> None:
    (bob,) = add_profiles(shop, 1)
    add_orders(shop, [Bought(NOW - DAY, ("SOA00",))], profile_id=bob, kind="return")
    add_orders(shop, [Bought(NOW - DAY, ("POSTAGE",))], profile_id=bob, key="fee")
    number = shop.execute(select(customer_order.c.id).where(customer_order.c.key == "fee")).scalar_one()
    shop.execute(update(order_line).where(order_line.c.order_id == number).values(kind="fee"))
    assert decide(shop, an_offer(), bob)[bob].fallback_level is Level.BESTSELLERS


def test_equal_answers_are_one_decision_when_the_reader_is_unknown(shop: Connection) -> None:
    def proposed(*given: str) -> Any:
        return propose_to_nobody(shop, Offer("product"), given, surface="widget", now=NOW)

    assert proposed("SOA00").items[0].sku == PLANTED["SOA00"]
    assert proposed("SOA00") == proposed("SOA00")
    assert proposed("SOA00").id != proposed("TEA01").id
    assert proposed("unheard of").id == proposed().id
    assert proposed().fallback_level is Level.BESTSELLERS
    assert len(CATEGORIES) == 3
