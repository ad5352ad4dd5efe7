from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, update

from customers.tables import product
from recommender import offers
from recommender.bulk_ranking import Given, companions_of, propose_best, reasons
from recommender.choice import Level
from recommender.offer_definition import Offer, Recommend
from recommender.offers import OfferDecision, decide_offers
from recommender.ranking import NOTHING, count_pairs, propose, rank_items
from tests.recommender.shop import (
    NOW,
    PLANTED,
    add_event,
    add_orders,
    add_products,
    add_profiles,
    planted_baskets,
    planted_orders,
)

PEOPLE = 260


def test_many_rows_are_proposed_the_same_when_they_are_reckoned_at_once() -> None:
    baskets = planted_baskets()
    ranking = rank_items(baskets, count_pairs(baskets), min_count=1, min_lift=0.0)
    chance = np.random.default_rng(2)
    row = np.sort(chance.integers(0, 50, 200))
    item = chance.integers(0, len(ranking.skus), 200)
    entries = np.unique(row * 1000 + item)
    row, item = np.divmod(entries, 1000)
    weight = chance.choice([0.5, 0.7, 1.0], len(row))
    given = Given(50, row, item, weight)
    companions = companions_of(ranking)
    best = propose_best(companions, given, 8)
    expected = propose(ranking, row, item, weight)
    for number in range(50):
        asked = expected.where(expected.row == number).first(8)
        found = best.item[number] != NOTHING
        assert best.score[number][found].tolist() == pytest.approx(asked.score.tolist(), rel=1e-5)
        told = reasons(companions, given, np.full(int(found.sum()), number), best.item[number][found])
        spoken = dict(zip(asked.item.tolist(), asked.because.tolist(), strict=True))
        same = [spoken.get(code) == reason for code, reason in zip(best.item[number][found], told, strict=True)]
        assert np.mean(same or [True]) > 0.7  # equal scores may stand in another order


def test_nothing_is_proposed_when_nobody_has_anything() -> None:
    baskets = planted_baskets()
    ranking = rank_items(baskets, count_pairs(baskets))
    nothing = np.empty(0, dtype=np.int64)
    assert propose_best(companions_of(ranking), Given(0, nothing, nothing, np.empty(0)), 8).item.shape == (0, 8)


@pytest.mark.parametrize("recommend", [{}, {"exclude_owned": True}, {"per_category": 1}, {"count": 1}])
def test_a_mail_to_many_offers_the_same_when_each_is_asked_alone(shop: Connection, recommend: dict[str, Any]) -> None:
    people = add_profiles(shop, PEOPLE)
    orders = planted_orders()
    for place, person in enumerate(people[:-20]):
        add_orders(shop, orders[place : place + 900 : 300], profile_id=person)
    for person in people[::7]:
        add_event(shop, person, "product_added", NOW - timedelta(hours=1), sku="SOA00")
        add_event(shop, person, "product_viewed", NOW - timedelta(hours=2), sku="GAR02")
    shop.execute(update(product).where(product.c.sku == PLANTED["TEA01"]).values(stock=0))
    shop.execute(update(product).where(product.c.sku.in_(["SOA31", "GAR30"])).values(is_replenishable=True))
    offer = Offer("cross_sell", Recommend(**{"holdout": Decimal(10), **recommend}))
    entries = {person: ["GAR00"] for person in people[::11]}

    def decide(ids: list[int], key: str) -> dict[int, OfferDecision]:
        return decide_offers(shop, offer, ids, surface="email", key=key, now=NOW, entry_skus=entries)

    together = decide(people, "all")
    alone = {person: decide([person], "one")[person] for person in people[:120:3] + people[-25:]}
    assert sum(decision.fallback_level is Level.RULES for decision in together.values()) > 5
    for person, decision in alone.items():
        assert together[person].fallback_level is decision.fallback_level
        assert together[person].is_holdout is decision.is_holdout
        mass, single = (sorted((round(one.score, 4), one.sku) for one in some.items)
                        for some in (together[person], decision))  # fmt: skip
        assert mass == single


def test_all_are_served_when_there_are_more_than_a_batch(shop: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "_BATCH", 7)
    people = add_profiles(shop, 30)
    decided = decide_offers(shop, Offer("cross_sell"), people, surface="email", key="k", now=NOW)
    assert all(len(decided[person].items) == 3 for person in people)
    assert decided == decide_offers(shop, Offer("cross_sell"), people, surface="email", key="k", now=NOW)


def test_best_sellers_fill_every_place_when_many_ask_and_no_rules_are_published(connection: Connection) -> None:
    add_products(connection)
    people = add_profiles(connection, PEOPLE)
    add_orders(connection, planted_orders(30))
    decided = decide_offers(connection, Offer("cross_sell"), people, surface="email", key="k", now=NOW)
    assert {decision.fallback_level for decision in decided.values()} == {Level.BESTSELLERS}
