"""Which products go with which, best first: the score that orders offers. Pure.

The score is akin to the cosine of two products over the baskets: what they share, over how often each was bought. A
large basket counts less, because one of fifty says less about any two things in it than one of two. Lift is a floor and
never the order: it prefers what was bought twice, both times together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Baskets, Flags, Int32s, Int64s

Floats = NDArray[np.float64]

NOTHING = -1


@dataclass(frozen=True, slots=True)
class Weights:
    """How the score of a pair comes about: the sum of size^-`basket` over the baskets that hold both products, over
    (baskets with the given one)^`given` · (baskets with the other)^`other`.

    (0, 1, 0) is the confidence of a rule and (0, ½, ½) the cosine. The weights that stand here are the best of a
    validation split of Online Retail; `given` counts because the companions of several products are summed.
    """

    basket: float = 0.65
    given: float = 0.8
    other: float = 0.35


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Ranking:
    """For the product at position p of `skus` its companions `companion[p]`, best first, padded with -1.

    `score` has the same shape; it is positive and, with the usual weights, at most 1.
    """

    skus: tuple[str, ...]
    companion: Int32s
    score: Floats

    @property
    def width(self) -> int:
        return int(self.companion.shape[1])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Products proposed for rows (customers, or baskets to complete), ordered by row and within it best first.

    `because` is the given product that speaks most for the candidate.
    """

    row: Int64s
    item: Int64s
    score: Floats
    because: Int64s

    def where(self, chosen: Flags) -> Candidates:
        return Candidates(self.row[chosen], self.item[chosen], self.score[chosen], self.because[chosen])

    def first(self, count: int) -> Candidates:
        """At most `count` of each row."""
        if not len(self.row):
            return self
        starts = np.flatnonzero(np.diff(self.row, prepend=-1))
        place = np.arange(len(self.row)) - np.repeat(starts, np.diff(starts, append=len(self.row)))
        return self.where(place < count)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Every pair of different products that some basket holds, in both directions; `weight` is the sum of
    size^-`exponent` over the baskets that hold both, and `count` their number.
    """

    left: Int64s
    right: Int64s
    count: Int64s
    weight: Floats
    exponent: float


def count_pairs(baskets: Baskets, exponent: float = Weights().basket) -> Pairs:
    """Co-occurrences: how many baskets hold both, and the same with each basket counting size^-`exponent`."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    def together(weights: Floats) -> Any:
        shape = (len(baskets), len(baskets.skus))
        held = csr_matrix((weights[baskets.rows], baskets.items, baskets.starts), shape=shape)
        return (held.T @ held).tocoo()

    counted = together(np.ones(len(baskets)))
    # Each side brings the root of the basket's weight. Both products have the same pattern, hence the same order.
    weighted = together(np.maximum(baskets.sizes, 1) ** (-exponent / 2))
    apart = counted.row != counted.col
    return Pairs(
        counted.row[apart].astype(np.int64),
        counted.col[apart].astype(np.int64),
        np.rint(counted.data[apart]).astype(np.int64),
        weighted.data[apart],
        exponent,
    )


def rank_items(
    baskets: Baskets,
    pairs: Pairs,
    weights: Weights | None = None,
    *,
    width: int = 30,
    min_lift: float = 1.0,
    min_count: int = 5,
) -> Ranking:
    """For each product its `width` best companions among those bought together with it at least `min_count` times and
    more often than by chance (lift above `min_lift`). `pairs` must have been counted with the basket's exponent.
    """
    weights = weights or Weights()
    if pairs.exponent != weights.basket:
        raise ValueError(f"pairs counted with {pairs.exponent} cannot be scored with {weights.basket}")
    own = baskets.item_counts()
    expected = own[pairs.left] * own[pairs.right] / max(len(baskets), 1)
    kept = (pairs.count >= min_count) & (pairs.count > min_lift * expected)
    left, right = pairs.left[kept], pairs.right[kept]
    score = pairs.weight[kept] / (own[left] ** weights.given * own[right] ** weights.other)
    order = np.lexsort((right, -score, left))
    best = Candidates(left[order], right[order], score[order], left[order]).first(width)
    starts = np.searchsorted(best.row, np.arange(len(baskets.skus)))
    place = np.arange(len(best.row)) - starts[best.row]
    companion = np.full((len(baskets.skus), width), NOTHING, dtype=np.int32)
    companion[best.row, place] = best.item
    scores = np.zeros(companion.shape)
    scores[best.row, place] = best.score
    return Ranking(baskets.skus, companion, scores)


def propose(ranking: Ranking, rows: Int64s, items: Int64s, weights: Floats) -> Candidates:
    """What goes with the given products of many rows at once: row `rows[i]` has product `items[i]`, which counts
    `weights[i]`. A candidate's score is the weighted sum of its scores beside the products of its row.

    The given products themselves may be among the candidates of their row.
    """
    companion = ranking.companion[items]
    real = companion != NOTHING
    score = (ranking.score[items] * weights[:, None])[real]
    spread = real.sum(axis=1)
    row, because = np.repeat(rows, spread), np.repeat(items, spread)
    key = row * len(ranking.skus) + companion[real]
    if not len(key):
        nothing = np.empty(0, dtype=np.int64)
        return Candidates(nothing, nothing, np.empty(0), nothing)
    order = np.lexsort((because, -score, key))
    key, score, because = key[order], score[order], because[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    total = np.add.reduceat(score, starts)
    row, item = np.divmod(key[starts], len(ranking.skus))
    best = np.lexsort((item, -total, row))
    return Candidates(row[best], item[best], total[best], because[starts][best])


def best_sellers(baskets: Baskets) -> Int64s:
    """Products by the number of baskets that hold them, most first; ties by position."""
    counts = baskets.item_counts()
    order = np.lexsort((np.arange(len(counts)), -counts))
    return order[counts[order] > 0].astype(np.int64)
