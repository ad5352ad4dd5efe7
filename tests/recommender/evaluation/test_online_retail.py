from __future__ import annotations

import os

import pytest

from benchmarks.recommender_quality import CUT, DATA, read_online_retail
from recommender.evaluation.comparison import ALS, BM25, OURS, POPULARITY, TFIDF
from recommender.evaluation.questions import Surface
from recommender.evaluation.trial import try_out
from recommender.parameters import RuleParameters
from recommender.ranking import Weights

NOT_HERE = "the real orders are not on this machine (../shared/data/online_retail.parquet)"


def test_ours_completes_baskets_best_when_a_year_of_real_orders_is_tried() -> None:
    """The weights are given, so that nothing is chosen again; those of the methods beside ours are published."""
    if not DATA.exists():
        pytest.fail(NOT_HERE, pytrace=False) if os.environ.get("CI") else pytest.skip(NOT_HERE)
    purchases = read_online_retail()
    assert (len(purchases.baskets), len(purchases.baskets.skus)) == (19_773, 3_900)
    parameters = RuleParameters(weights=Weights())
    (compared,) = try_out(purchases, CUT, [Surface.BASKET], most=3000, seed=1, parameters=parameters).surfaces
    assert compared.question_count == 3000
    figures = compared.figures
    assert figures[POPULARITY].hit_rate == pytest.approx(0.344, abs=0.005)
    assert figures[POPULARITY].ndcg == pytest.approx(0.068, abs=0.003)
    assert figures[TFIDF].hit_rate == pytest.approx(0.783, abs=0.007)
    assert figures[TFIDF].ndcg == pytest.approx(0.292, abs=0.007)
    assert figures[BM25].hit_rate == pytest.approx(0.790, abs=0.007)
    assert figures[BM25].ndcg == pytest.approx(0.289, abs=0.008)
    assert figures[OURS].hit_rate >= 0.79
    assert figures[OURS].ndcg >= 0.29
    for name in {TFIDF, BM25, ALS} & figures.keys():
        assert figures[OURS].hit_rate >= figures[name].hit_rate - 0.007
        assert figures[OURS].ndcg >= figures[name].ndcg - 0.007
