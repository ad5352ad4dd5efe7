"""The best companions for very many rows at once, each row a customer with some products. Pure.

As `ranking.propose`, for thousands: one product of sparse matrices, and of each row only the first few are sorted.
Scores are single floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


def companion_matrix(ranking: Ranking) -> Any:
    """The ranking as a sparse matrix (products, products) of scores, in compressed rows."""
    from scipy.sparse import csr_matrix

    real = ranking.companion != NOTHING
    starts = np.concatenate([[0], np.cumsum(real.sum(axis=1))])
    shape = (len(ranking.skus), len(ranking.skus))
    return csr_matrix((ranking.score[real].astype(np.float32), ranking.companion[real], starts), shape=shape)


def propose_best(companions: Any, given: Given, most: int) -> Best:
    """The `most` best candidates of each row by the weighted sum of the scores beside its products; ties by product.

    The given products themselves may be among them.
    """
    from scipy.sparse import csr_matrix

    starts = np.searchsorted(given.row, np.arange(given.count + 1))
    weights = csr_matrix((given.weight.astype(np.float32), given.item, starts), shape=(given.count, companions.shape[0]))
    keys = [
        _best_keys(weights[first : first + _ROWS_AT_ONCE] @ companions, most)
        for first in range(0, given.count, _ROWS_AT_ONCE)
    ]
    key = np.concatenate(keys) if keys else np.zeros((0, most), dtype=np.int64)
    item = np.where(key > 0, _LOW - (key & _LOW), NOTHING)
    return Best(item, (key >> 32).astype(np.int32).view(np.float32))


def reasons(ranking: Ranking, given: Given, row: Int64s, item: Int64s) -> Int64s:
    """For chosen candidates the product of their row that speaks most for each; ties by product."""
    starts = np.searchsorted(given.row, np.arange(given.count + 1))
    spread = np.diff(starts)[row]
    entry = np.repeat(np.arange(len(row)), spread)
    first = np.concatenate([[0], np.cumsum(spread)])
    place = np.repeat(starts[row], spread) + np.arange(len(entry)) - first[entry]
    owned = given.item[place]
    found = ranking.companion[owned] == item[entry][:, None]
    score = np.where(found, ranking.score[owned], 0.0).max(axis=1) * given.weight[place]
    order = np.lexsort((owned, -score, entry))
    best: Int64s = owned[order[first[:-1]]]
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
