"""Frequent itemsets by mlxtend's FP-growth: the reference.

mlxtend is exact and slow where it is handed too much: it would make a dense table of every product and basket. So the
baskets are made small before, and the counts are put right afterwards.
"""

from __future__ import annotations

import numpy as np

from recommender.baskets import Baskets
from recommender.mining.itemsets import Level, compressed, frequent_items, levels_of

_ROUNDING = 1e-12  # mlxtend compares shares as floats, and a set at the very threshold must not be lost


def find_itemsets(baskets: Baskets, min_count: int, max_length: int | None) -> list[Level]:
    """All sets of up to `max_length` products that at least `min_count` (1 or more) baskets hold, by length."""
    singles = frequent_items(baskets, min_count)
    if singles is None:
        return []
    kept = compressed(baskets, singles)
    if max_length == 1 or len(kept) < min_count:
        return [singles]
    return [singles, *_larger_sets(kept, singles, min_count, max_length)]


def _larger_sets(baskets: Baskets, singles: Level, min_count: int, max_length: int | None) -> list[Level]:
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    codes = singles.members[:, 0]
    matrix = csr_matrix(
        (np.ones(len(baskets.items), dtype=bool), np.searchsorted(codes, baskets.items), baskets.starts),
        shape=(len(baskets), len(codes)),
    )
    # A sparse frame wants names of columns that are strings.
    frame = pd.DataFrame.sparse.from_spmatrix(matrix, columns=[str(code) for code in codes.tolist()])
    sets = fpgrowth(frame, min_support=min_count / len(baskets) - _ROUNDING, use_colnames=True, max_len=max_length)
    counts = np.rint(sets["support"].to_numpy() * len(baskets)).astype(int)
    return levels_of(
        ([int(name) for name in names], count)
        for names, count in zip(sets["itemsets"], counts.tolist(), strict=True)
        if len(names) > 1
    )
