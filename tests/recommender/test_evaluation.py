from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.baskets import baskets_of
from recommender.evaluation import ask, hits_of_list, hits_of_ranking, is_worse
from recommender.ranking import best_sellers, count_pairs, rank_items
from tests.recommender.shop import planted_orders

shops = st.lists(st.lists(st.sampled_from("abcdefghijkl"), max_size=12), min_size=1, max_size=14)


@given(shops, st.integers(2, 4))
def test_a_question_hides_the_rest_when_it_shows_up_to_five(orders: list[list[str]], least: int) -> None:
    questions = ask(baskets_of(enumerate(orders)), least=least)
    asked = [set(order) for order in orders if len(set(order)) >= least]
    assert questions.count == len(asked)
    for row, basket in enumerate(asked):
        shown = {questions.skus[code] for code in questions.shown[questions.shown_row == row]}
        hidden = {questions.skus[code] for code in questions.hidden[questions.hidden_row == row]}
        assert shown | hidden == basket
        assert not shown & hidden
        assert len(shown) == min(5, len(basket) // 2)


def test_the_same_questions_are_asked_when_it_is_done_again() -> None:
    baskets = baskets_of((0, order.skus) for order in planted_orders())
    one, other = ask(baskets, most=100), ask(baskets, most=100)
    assert one.count == 100
    assert one.shown.tolist() == other.shown.tolist()
    assert one.shown.tolist() != ask(baskets, most=100, seed=2).shown.tolist()


def test_a_hit_is_a_hidden_product_when_ten_are_proposed() -> None:
    past = baskets_of([(0, ["a", "b"])] * 10 + [(0, ["c", "d"])] * 10)
    ranking = rank_items(past, count_pairs(past))
    questions = ask(baskets_of([(0, ["a", "b"]), (0, ["b", "c"]), (0, ["c", "d"])]), least=2)
    assert hits_of_ranking(ranking, questions).tolist() == [True, False, True]
    assert hits_of_list(["d", "c"], questions).tolist() == [False, True, True]


def test_a_ranking_answers_when_it_does_not_know_the_products() -> None:
    past = baskets_of([(0, ["x", "y"])] * 10)
    questions = ask(baskets_of([(0, ["a", "b"])]), least=2)
    assert hits_of_ranking(rank_items(past, count_pairs(past)), questions).tolist() == [False]


def test_planted_rules_beat_best_sellers_when_baskets_are_completed() -> None:
    orders = [order.skus for order in planted_orders()]
    past, future = (baskets_of((0, order) for order in some) for some in (orders[:900], orders[900:]))
    questions = ask(future, least=2)
    sellers = [past.skus[code] for code in best_sellers(past)]
    ours = hits_of_ranking(rank_items(past, count_pairs(past)), questions, sellers)
    usual = hits_of_list(sellers, questions)
    assert ours.mean() > usual.mean()
    assert is_worse(usual, ours)


@pytest.mark.parametrize(("won", "lost", "expected"), [(0, 0, False), (10, 12, False), (5, 25, True), (25, 5, False)])
def test_a_ranking_is_worse_only_when_it_loses_by_more_than_chance(won: int, lost: int, expected: bool) -> None:
    ours = np.array([True] * won + [False] * lost + [True] * 20)
    theirs = np.array([False] * won + [True] * lost + [True] * 20)
    assert is_worse(ours, theirs) is expected
