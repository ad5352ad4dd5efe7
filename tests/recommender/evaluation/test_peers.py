from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recommender.baskets import Baskets, baskets_of
from recommender.evaluation.answers import Answers, first_ten
from recommender.evaluation.figures import hits
from recommender.evaluation.peers import NEIGHBOURS, answers_of_als, answers_of_bm25, answers_of_tfidf
from recommender.evaluation.questions import Pairs, Questions, ask
from tests.recommender.shop import planted_orders

NOT_HERE = "the library implicit is not installed (it is in the extra `test`)"


def parted() -> tuple[Baskets, Questions]:
    orders = [order.skus for order in planted_orders()]
    baskets = baskets_of((place, order) for place, order in enumerate(orders))
    return baskets.where(baskets.placed_at < 900), ask(baskets.where(baskets.placed_at >= 900), least=2)


@pytest.mark.filterwarnings("ignore:Method expects CSR input")  # the library warns of itself
@pytest.mark.parametrize(
    ("name", "ours"), [("TFIDFRecommender", answers_of_tfidf), ("BM25Recommender", answers_of_bm25)]
)
def test_a_method_answers_as_the_library_does_when_both_are_asked(
    name: str, ours: Callable[[Baskets, Questions], Answers]
) -> None:
    neighbours = pytest.importorskip("implicit.nearest_neighbours", reason=NOT_HERE)
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    past, questions = parted()
    held = csr_matrix((np.ones(len(past.items)), past.items, past.starts), shape=(len(past), len(past.skus)))
    given = csr_matrix(
        (np.ones(len(questions.given.row)), (questions.given.row, questions.given.item)),
        shape=(questions.count, len(past.skus)),
    )
    model = getattr(neighbours, name)(K=NEIGHBOURS, num_threads=1)
    model.fit(held, show_progress=False)
    items, scores = model.recommend(np.arange(questions.count), given, N=10, filter_already_liked_items=True)
    rows = np.repeat(np.arange(questions.count), items.shape[1])
    theirs = Pairs(rows, items.ravel().astype(np.int64)).where((items.ravel() >= 0) & (scores.ravel() > 0))
    expected = hits(first_ten(questions, theirs), questions)
    # Products with equal scores may change places.
    assert (hits(ours(past, questions), questions) == expected).mean() > 0.98


def test_als_answers_when_its_library_is_there() -> None:
    pytest.importorskip("implicit", reason=NOT_HERE)
    past, questions = parted()
    answers = answers_of_als(past, questions)
    assert answers.shape == (questions.count, 10)
    assert hits(answers, questions).mean() > 0.1
