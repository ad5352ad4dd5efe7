from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.baskets import Baskets, baskets_of
from recommender.ranking import NOTHING, Ranking, Weights, best_sellers, count_pairs, propose, rank_items
from tests.recommender.shop import PLANTED, planted_orders

shops = st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), min_size=1, max_size=14)


def ranked(baskets: Baskets, **floors: float) -> Ranking:
    return rank_items(baskets, count_pairs(baskets), **floors)  # type: ignore[arg-type]  # tests name single floors


def companions(ranking: Ranking, sku: str) -> list[str]:
    return [ranking.skus[code] for code in ranking.companion[ranking.skus.index(sku)] if code != NOTHING]


def test_the_planted_companion_is_first_when_the_shop_is_ranked() -> None:
    ranking = ranked(baskets_of((0, order.skus) for order in planted_orders()))
    assert {left: companions(ranking, left)[0] for left in PLANTED} == PLANTED


@given(shops, st.sampled_from([Weights(), Weights(0.0, 1.0, 0.0), Weights(0.5, 0.5, 0.5)]))
def test_a_score_is_what_two_products_share_when_they_meet(orders: list[list[str]], weights: Weights) -> None:
    baskets = baskets_of((0, order) for order in orders)
    sets = [set(order) for order in orders]
    ranking = rank_items(baskets, count_pairs(baskets, weights.basket), weights, min_count=1, min_lift=0.0)
    for place, left in enumerate(ranking.skus):
        scores = dict(zip(companions(ranking, left), ranking.score[place].tolist(), strict=False))
        assert scores == pytest.approx(
            {
                right: sum(len(one) ** -weights.basket for one in sets if {left, right} <= one)
                / sum(left in one for one in sets) ** weights.given
                / sum(right in one for one in sets) ** weights.other
                for right in ranking.skus
                if right != left and any({left, right} <= one for one in sets)
            }
        )
        assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_the_score_is_the_confidence_of_the_rule_when_only_the_given_product_counts() -> None:
    baskets = baskets_of((0, order) for order in [["a", "b"]] * 6 + [["a"]] * 2 + [["c"]] * 9)
    ranking = rank_items(baskets, count_pairs(baskets, 0.0), Weights(0.0, 1.0, 0.0))
    assert ranking.score[:2, 0].tolist() == pytest.approx([6 / 8, 1.0])


def test_pairs_are_refused_when_they_were_counted_for_other_weights() -> None:
    baskets = baskets_of([(0, ["a", "b"])] * 6)
    with pytest.raises(ValueError, match="cannot be scored"):
        rank_items(baskets, count_pairs(baskets, 0.5), Weights(0.0, 0.5, 0.5))


def test_a_rare_pair_does_not_come_first_when_its_lift_is_highest() -> None:
    often = [["tea", "pot"]] * 40 + [["tea"]] * 10 + [["pot"]] * 10
    rare = [["tea", "odd"]] * 5
    ranking = ranked(baskets_of((0, order) for order in (*often, *rare, *[["other"]] * 60)))
    assert companions(ranking, "tea") == ["pot", "odd"]


def test_a_pair_is_no_companion_when_it_meets_too_rarely_or_by_chance() -> None:
    by_chance = [["a", "b"]] * 24 + [["a"]] * 26 + [["b"]] * 26 + [["c"]] * 24
    ranking = ranked(baskets_of((0, order) for order in (*by_chance, *[["c", "d"]] * 4)))
    assert companions(ranking, "a") == []
    assert companions(ranking, "c") == []


def test_weights_and_reasons_follow_the_basket_when_many_rows_are_proposed_to() -> None:
    ranking = Ranking(
        ("a", "b", "c"),
        np.array([[1, 2], [0, NOTHING], [1, 0]], dtype=np.int32),
        np.array([[0.5, 0.2], [0.5, 0.0], [0.4, 0.2]]),
    )
    found = propose(ranking, np.array([0, 0, 7]), np.array([0, 2, 1]), np.array([1.0, 0.5, 1.0]))
    assert found.row.tolist() == [0, 0, 0, 7]
    assert [ranking.skus[code] for code in found.item] == ["b", "c", "a", "a"]
    assert found.score.tolist() == pytest.approx([0.7, 0.2, 0.1, 0.5])
    assert [ranking.skus[code] for code in found.because] == ["a", "a", "c", "b"]
    assert found.first(1).row.tolist() == [0, 7]


def test_nothing_is_proposed_when_nothing_is_given() -> None:
    nothing = np.empty(0, dtype=np.int64)
    ranking = ranked(baskets_of([(0, ["a", "b"])] * 6))
    assert len(propose(ranking, nothing, nothing, np.empty(0)).row) == 0


def test_products_stand_by_sales_when_best_sellers_are_listed() -> None:
    baskets = baskets_of((0, order) for order in (["a", "b"], ["b"], ["c", "b"], ["c"]))
    assert [baskets.skus[code] for code in best_sellers(baskets)] == ["b", "c", "a"]
