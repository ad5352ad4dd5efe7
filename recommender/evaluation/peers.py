"""Known methods to hold ours against: item-kNN weighted by TF-IDF or BM25, and ALS.

The first two are reckoned here; ALS needs the library `implicit` (in the extra `test`), whose numbers the first two
reproduce. None of them serves anybody.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from recommender.baskets import Baskets
from recommender.evaluation.answers import PROPOSED, Answers, first_ten
from recommender.evaluation.questions import Floats, Pairs, Questions

NEIGHBOURS = 20
_FACTORS = 128
# Chosen on a validation split of Online Retail, as our own weights are.
_ALPHA = 40.0
_REGULARISATION = 10.0
_BM25_K1, _BM25_B = 1.2, 0.75
_ROWS_AT_ONCE = 500


def has_als() -> bool:
    """Whether ALS can be reckoned here."""
    return find_spec("implicit") is not None


def answers_of_tfidf(past: Baskets, questions: Questions) -> Answers:
    """Item-kNN on the cosine of products whose baskets count log(products / (1 + size))."""
    held = _baskets_by_product(past)
    weights = _rarity(past)[held.indices]
    norm = np.sqrt(np.bincount(_rows(held), weights**2, minlength=held.shape[0]))
    held.data = weights / np.maximum(norm, 1e-12)[_rows(held)]
    return _nearest(held, questions)


def answers_of_bm25(past: Baskets, questions: Questions) -> Answers:
    """Item-kNN on the product of BM25 weights (Robertson et al. 1994; K1 1.2, B 0.75), a product being a document."""
    held = _baskets_by_product(past)
    length = np.diff(held.indptr)
    norm = (1 - _BM25_B) + _BM25_B * length / max(length.mean(), 1e-12)
    held.data = (_BM25_K1 + 1) / (_BM25_K1 * norm[_rows(held)] + 1) * _rarity(past)[held.indices]
    return _nearest(held, questions)


def answers_of_als(past: Baskets, questions: Questions) -> Answers:
    """Alternating least squares on implicit feedback (Hu, Koren, Volinsky 2008), 128 factors, 15 rounds."""
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=_FACTORS, alpha=_ALPHA, regularization=_REGULARISATION, random_state=1, num_threads=1
        )
        model.fit(_products_by_basket(past).astype(np.float32), show_progress=False)
        given = _matrix(questions.given, questions).astype(np.float32)
        most = int(np.bincount(questions.excluded.row, minlength=1).max()) + PROPOSED
        items, _ = model.recommend(
            np.arange(questions.count), given, N=min(most, len(past.skus)), recalculate_user=True,
            filter_already_liked_items=False,
        )  # fmt: skip
    return _flat(items.astype(np.int64), questions)


def _nearest(held: Any, questions: Questions) -> Answers:
    """Answers by the sum of the similarities of what is given to its 20 nearest products, itself among them."""
    near = _first_neighbours((held @ held.T).tocsr())
    proposed = _matrix(questions.given, questions) @ near
    answers = []
    most = int(np.bincount(questions.excluded.row, minlength=1).max()) + PROPOSED
    for start in range(0, questions.count, _ROWS_AT_ONCE):
        scores = proposed[start : start + _ROWS_AT_ONCE].toarray()
        best = np.argsort(-scores, axis=1, kind="stable")[:, :most]
        answers.append(np.where(np.take_along_axis(scores, best, axis=1) > 0, best, -1))
    return _flat(np.concatenate(answers) if answers else np.empty((0, 0), dtype=np.int64), questions)


def _first_neighbours(similarity: Any) -> Any:
    """The 20 largest entries of each row."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    rows = _rows(similarity)
    order = np.lexsort((similarity.indices, -similarity.data, rows))
    kept = order[np.arange(len(order)) - similarity.indptr[rows[order]] < NEIGHBOURS]
    return csr_matrix((similarity.data[kept], (rows[kept], similarity.indices[kept])), shape=similarity.shape)


def _flat(items: Any, questions: Questions) -> Answers:
    row = np.repeat(np.arange(questions.count), items.shape[1])
    given = Pairs(row, items.ravel())
    return first_ten(questions, given.where(given.item >= 0))


def _rarity(past: Baskets) -> Floats:
    weights: Floats = np.log(max(len(past.skus), 1)) - np.log1p(past.sizes)
    return weights


def _products_by_basket(past: Baskets) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(past.items)), past.items, past.starts), shape=(len(past), len(past.skus)))


def _baskets_by_product(past: Baskets) -> Any:
    return _products_by_basket(past).T.tocsr()


def _matrix(pairs: Pairs, questions: Questions) -> Any:
    from scipy.sparse import csr_matrix

    shape = (questions.count, len(questions.skus))
    return csr_matrix((np.ones(len(pairs.row)), (pairs.row, pairs.item)), shape=shape)


def _rows(matrix: Any) -> Any:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
