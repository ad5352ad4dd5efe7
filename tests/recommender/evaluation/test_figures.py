from __future__ import annotations

from math import log2

import numpy as np
import pytest

from recommender.baskets import Baskets, baskets_of
from recommender.evaluation.answers import answers_of_habit, answers_of_list, answers_of_ranking
from recommender.evaluation.figures import hits, is_worse, measure
from recommender.evaluation.questions import Pairs, Questions, ask
from recommender.ranking import best_sellers, count_pairs, rank_items
from tests.recommender.shop import planted_orders


def asked(baskets: Baskets) -> Questions:
    return ask(baskets, least=2)


def test_a_hit_is_a_hidden_product_when_ten_are_proposed() -> None:
    past = baskets_of([(0, ["a", "b"])] * 10 + [(0, ["c", "d"])] * 10)
    ranking = rank_items(past, count_pairs(past))
    questions = asked(baskets_of([(0, ["a", "b"]), (0, ["b", "c"]), (0, ["c", "d"])]))
    assert hits(answers_of_ranking(ranking, questions), questions).tolist() == [True, False, True]
    assert hits(answers_of_list(["d", "c"], questions), questions).tolist() == [False, True, True]


def test_a_ranking_answers_when_it_does_not_know_the_products() -> None:
    past = baskets_of([(0, ["x", "y"])] * 10)
    questions = asked(baskets_of([(0, ["a", "b"])]))
    answers = answers_of_ranking(rank_items(past, count_pairs(past)), questions)
    assert not hits(answers, questions).any()
    assert measure(answers, questions, np.array([1, 1]), 10).novelty == 0


def test_what_is_bought_most_often_comes_first_when_somebody_buys_again() -> None:
    past = baskets_of([(0, ["a", "b"])] * 10)
    rows = np.zeros(2, dtype=np.int64)
    nothing = np.empty(0, dtype=np.int64)
    questions = Questions(
        ("a", "b", "c"), 1, Pairs(rows, np.array([0, 2])), np.array([1.0, 4.0]), Pairs(rows[:1], np.array([1])),
        Pairs(nothing, nothing),
    )  # fmt: skip
    answers = answers_of_habit(rank_items(past, count_pairs(past)), questions, ["a", "b"])
    assert answers[0, :4].tolist() == [2, 0, 1, -1]


def test_the_figures_are_the_definitions_when_reckoned_by_hand() -> None:
    skus = tuple("abcdef")
    row = np.zeros(3, dtype=np.int64)
    given = Pairs(row[:1], np.array([0]))
    questions = Questions(skus, 1, given, np.ones(1), Pairs(row, np.array([1, 2, 3])), given)
    answers = answers_of_list(["a", "e", "b", "f", "c"], questions)
    figures = measure(answers, questions, np.array([8, 4, 2, 1, 8, 16]), 16)
    assert figures.hit_rate == 1
    assert figures.recall == pytest.approx(2 / 3)
    assert figures.ndcg == pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4)))
    assert figures.coverage == pytest.approx(4 / 6)
    assert figures.novelty == pytest.approx((1 + 2 + 0 + 3) / 4)


def test_planted_rules_beat_best_sellers_when_baskets_are_completed() -> None:
    orders = [order.skus for order in planted_orders()]
    past, future = (baskets_of((0, order) for order in some) for some in (orders[:900], orders[900:]))
    questions = asked(future)
    sellers = [past.skus[code] for code in best_sellers(past)]
    ours = hits(answers_of_ranking(rank_items(past, count_pairs(past)), questions, sellers), questions)
    usual = hits(answers_of_list(sellers, questions), questions)
    assert ours.mean() > usual.mean()
    assert is_worse(usual, ours)


@pytest.mark.parametrize(("won", "lost", "expected"), [(0, 0, False), (10, 12, False), (5, 25, True), (25, 5, False)])
def test_a_ranking_is_worse_only_when_it_loses_by_more_than_chance(won: int, lost: int, expected: bool) -> None:
    ours = np.array([True] * won + [False] * lost + [True] * 20)
    theirs = np.array([False] * won + [True] * lost + [True] * 20)
    assert is_worse(ours, theirs) is expected
