"""The best companions for very many rows at once, each row a customer with some products. Pure.

As `ranking.propose`, for thousands: one product of sparse matrices, and of each row only the first few are sorted.
Scores are single floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Int64s
from recommender.ranking import NOTHING, Floats, Ranking

Float32s = NDArray[np.float32]

_ROWS_AT_ONCE = 2_000
_LOW = np.int64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Given:
    """Row `row[i]` has product `item[i]` of a ranking, which counts `weight[i]`; rows ascend, 0 to `count` - 1."""

    count: int
    row: Int64s
    item: Int64s
    weight: Floats


@dataclass(frozen=True, slots=True)
class Best:
    """For each row its best candidates, best first, padded with -1 and 0; both of one shape."""

    item: Int64s
    score: Float32s


@dataclass(frozen=True, slots=True)
class Companions:
    """A ranking made ready: `matrix` has its scores by product and product, `key` and `score` the same as a list,
    sorted by the number of the first times the count of products plus the number of the second.
    """

    matrix: Any
    key: Int64s
    score: Floats


def companions_of(ranking: Ranking) -> Companions:
    """Made once for each ranking, and kept as long as that is."""
    made = _companions.get(ranking)
    if made is None:
        made = _companions[ranking] = _arranged(ranking)
    return made


_companions: WeakKeyDictionary[Ranking, Companions] = WeakKeyDictionary()


def _arranged(ranking: Ranking) -> Companions:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    real = ranking.companion != NOTHING
    count = len(ranking.skus)
    row, column = np.repeat(np.arange(count), real.sum(axis=1)), ranking.companion[real].astype(np.int64)
    key = row * count + column
    order = np.argsort(key)
    starts = np.searchsorted(row, np.arange(count + 1))
    score = ranking.score[real][order]
    matrix = csr_matrix((score.astype(np.float32), column[order], starts), shape=(count, count))
    return Companions(matrix, key[order], score)


def propose_best(companions: Companions, given: Given, most: int) -> Best:
    """The `most` best candidates of each row by the weighted sum of the scores beside its products; ties by product.

    The given products themselves may be among them.
    """
    from scipy.sparse import csr_matrix

    starts = np.searchsorted(given.row, np.arange(given.count + 1))
    weights = csr_matrix(
        (given.weight.astype(np.float32), given.item, starts), shape=(given.count, companions.matrix.shape[0])
    )
    keys = [
        _best_keys(weights[first : first + _ROWS_AT_ONCE] @ companions.matrix, most)
        for first in range(0, given.count, _ROWS_AT_ONCE)
    ]
    key = np.concatenate(keys) if keys else np.zeros((0, most), dtype=np.int64)
    item = np.where(key > 0, _LOW - (key & _LOW), NOTHING)
    return Best(item, (key >> 32).astype(np.int32).view(np.float32))


def reasons(companions: Companions, given: Given, row: Int64s, item: Int64s) -> Int64s:
    """For chosen candidates, which must be some of those proposed, the product of their row that speaks most for each;
    ties by product.
    """
    starts = np.searchsorted(given.row, np.arange(given.count + 1))
    spread = np.diff(starts)[row]
    entry = np.repeat(np.arange(len(row)), spread)
    first = np.cumsum(spread) - spread
    place = np.arange(len(entry)) + np.repeat(starts[row] - first, spread)
    owned = given.item[place]
    key = owned * companions.matrix.shape[0] + item[entry]
    found = np.searchsorted(companions.key, key)
    found[found == len(companions.key)] = 0
    score = np.where(companions.key[found] == key, companions.score[found], 0.0) * given.weight[place]
    is_best = score == np.repeat(np.maximum.reduceat(score, first), spread)
    never = companions.matrix.shape[0]
    best: Int64s = np.minimum.reduceat(np.where(is_best, owned, never), first)
    return best


def _best_keys(scores: Any, most: int) -> Int64s:
    """Score and product in one number, of which the largest are wanted: positive floats sort as their bits do."""
    bits = scores.data.view(np.int32).astype(np.int64)
    key = (bits << 32) | (_LOW - scores.indices)
    length = np.diff(scores.indptr)
    width = int(length.max(initial=0))
    padded = np.zeros((len(length), max(width, most)), dtype=np.int64)
    padded[:, :width][np.arange(width) < length[:, None]] = key
    if padded.shape[1] > most:
        padded = np.partition(padded, padded.shape[1] - most, axis=1)[:, -most:]
    best: Int64s = np.sort(padded, axis=1)[:, ::-1]
    return best
