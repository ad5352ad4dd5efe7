from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection

from recommender.choice import Level
from recommender.history import load_histories, load_history
from recommender.offer_definition import Basis, Fallback, Model, Offer, Recommend, ShowLimit
from recommender.offers import decide_offers, propose_to_nobody
from recommender.published import Index, get_index
from recommender.ranking import Ranking, propose
from recommender.serving.counter import Counter, can_decide, companions_of
from recommender.serving.shelf import fill_shelf
from segments.language.matcher_parser import parse_where
from tests.recommender.shop import ALL_SKUS, NOW, Bought, add_event, add_orders, add_profiles


def test_the_counter_says_what_the_database_says_when_nobody_is_known(shop: Connection) -> None:
    index = get_index(shop)
    shelf = fill_shelf(shop, ())
    where = parse_where({"category": "Tea"}, lambda *_, **__: None, ())
    offers = [
        Offer("product", Recommend(count=6)),
        Offer("capped", Recommend(count=9, per_category=2)),
        Offer("sellers", Recommend(model=Model.BESTSELLERS, count=24)),
        Offer("strict", Recommend(fallback=Fallback.NONE, count=20)),
        Offer("everything", Recommend(count=150)),
        Offer("tea", Recommend(count=50, where=where)),
        Offer("early", Recommend(count=6), valid_from=NOW + timedelta(days=1)),
    ]
    chance = np.random.default_rng(5)
    for offer in offers:
        narrow = shelf.narrowed(shop, where, NOW) if offer.recommend.where else shelf
        for size in (0, 1, 2, 5, 20):
            skus = [*chance.choice(ALL_SKUS, size, replace=False).tolist(), "unheard of"]
            said = Counter(index, narrow).propose(offer, skus, surface="widget", now=NOW)
            assert said == propose_to_nobody(shop, offer, skus, surface="widget", now=NOW), (offer.slug, skus)


def test_the_counter_decides_what_the_database_decides_when_the_history_is_at_hand(shop: Connection) -> None:
    index, shelf = get_index(shop), fill_shelf(shop, ())
    chance = np.random.default_rng(6)
    people = add_profiles(shop, 24)
    for place, number in enumerate(people):
        for event in ("product_viewed", "product_added")[: place % 3]:
            add_event(shop, number, event, NOW - timedelta(days=2), sku=str(chance.choice(ALL_SKUS)))
        for days in (3, 60)[: place % 4]:
            bought = tuple(chance.choice(ALL_SKUS, 3, replace=False).tolist())
            add_orders(shop, [Bought(NOW - timedelta(days=days), bought)], profile_id=number)
    histories = load_histories(shop, people, NOW)
    assert [load_history(shop, number, NOW) for number in people] == [histories[number] for number in people]
    offers = [
        Offer("product", Recommend(count=6, holdout=Decimal(30))),
        Offer("capped", Recommend(count=9, per_category=2, exclude_owned=True)),
        Offer("entry", Recommend(count=9, of=Basis.ENTRY)),
        Offer("orders", Recommend(count=9, of=Basis.ORDERS)),
        Offer("sellers", Recommend(model=Model.BESTSELLERS, count=24)),
    ]
    for offer in offers:
        assert can_decide(offer)
        given = {number: chance.choice(ALL_SKUS, place % 6).tolist() for place, number in enumerate(people)}
        decided = decide_offers(
            shop, offer, people, surface="widget", key="k", now=NOW, entry_skus=given, records=False
        )
        for number in people:
            expected = decided[number]
            said = Counter(index, shelf).decide(
                offer, number, histories[number], given[number], name=expected.id, surface="widget", now=NOW
            )
            assert [(one.sku, one.reason) for one in said.items] == [(one.sku, one.reason) for one in expected.items]
            assert (said.is_holdout, said.fallback_level) == (expected.is_holdout, expected.fallback_level)


def test_memory_does_not_suffice_when_the_database_knows_who_may_see_the_offer() -> None:
    assert not can_decide(Offer("strict", Recommend(fallback=Fallback.NONE)))
    assert not can_decide(Offer("again", Recommend(model=Model.REPLENISHMENT)))
    assert not can_decide(Offer("seldom", limits=(ShowLimit(1, timedelta(days=1)),)))


_scores = st.integers(0, 4).map(lambda number: number / 7)


@given(st.data())
def test_companions_are_those_of_the_ranking_when_any_products_are_given(data: st.DataObject) -> None:
    count, width = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
    companion = np.full((count, width), -1, dtype=np.int32)
    score = np.zeros((count, width))
    for place in range(count):
        others = [other for other in range(count) if other != place]
        known = data.draw(st.lists(st.sampled_from(others), unique=True, max_size=width)) if others else []
        values = sorted((data.draw(_scores) for _ in known), reverse=True)
        companion[place, : len(known)] = known
        score[place, : len(known)] = values
    skus = tuple(f"P{place}" for place in range(count))
    index = Index(1, Ranking(skus, companion, score), {sku: place for place, sku in enumerate(skus)}, {})
    basket = data.draw(st.lists(st.sampled_from(range(count)), unique=True))
    rows, items = np.zeros(len(basket), dtype=np.int64), np.array(basket, dtype=np.int64)
    expected = propose(index.ranking, rows, items, np.ones(len(basket)))
    said = list(companions_of(index, dict.fromkeys([skus[place] for place in basket], 1.0)))
    assert [skus.index(one.sku) for one in said] == expected.item.tolist()
    assert [one.score for one in said] == pytest.approx(expected.score.tolist())
    assert [skus.index(one.because or "") for one in said] == expected.because.tolist()


def test_the_catalogue_is_offered_when_everything_in_the_rules_is_sold_out(shop: Connection) -> None:
    index, shelf, offer = get_index(shop), fill_shelf(shop, ()), Offer("home", Recommend(count=6))
    goods = [found for sku in ALL_SKUS if (found := shelf.find(sku)) is not None]
    sold_out = shelf.changed(replace(found, is_for_sale=False) for found in goods)
    assert Counter(index, sold_out).propose(offer, ["SOA00"], surface="widget", now=NOW).items == ()
    with_hat = sold_out.changed([replace(goods[0], sku="HAT", name="Hat")])
    said = Counter(index, with_hat).propose(offer, ["SOA00"], surface="widget", now=NOW)
    assert [item.sku for item in said.items] == ["HAT"]
    assert said.fallback_level is Level.CATALOGUE
