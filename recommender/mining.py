"""Frequent itemsets by mlxtend's FP-growth: the only door to mlxtend and, with the evaluation, to pandas.

mlxtend is exact and slow where it is handed too much, so the baskets are made small before and the shares are put right
afterwards. Rules are not made here (`rules.py`), because mlxtend makes them one by one in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.baskets import Baskets

if TYPE_CHECKING:
    from pandas import DataFrame

_ROUNDING = 1e-12  # mlxtend compares shares as floats, and a set at the very threshold must not be lost


def mine(baskets: Baskets, min_count: int, max_length: int | None = None) -> DataFrame:
    """All sets of up to `max_length` products that at least `min_count` baskets hold, as mlxtend's frame.

    `support` is the share of all given baskets, `itemsets` a frozenset of skus. Rows are sorted by length, then by sku,
    so that every engine answers the same frame.
    """
    import pandas as pd

    min_count = max(min_count, 1)
    counts = baskets.item_counts()
    frequent = counts >= min_count
    found: dict[tuple[str, ...], int] = {(baskets.skus[code],): int(counts[code]) for code in np.flatnonzero(frequent)}
    # First the rare products, then the baskets in which one is left: the other way round leaves baskets of one behind.
    kept = baskets.of_items(frequent)
    kept = kept.where(kept.sizes > 1)
    if max_length != 1 and len(kept) >= min_count:
        found |= _larger_sets(kept, frequent, min_count, max_length)
    ordered = sorted(found.items(), key=lambda entry: (len(entry[0]), entry[0]))
    return pd.DataFrame(
        {
            "support": np.array([count for _, count in ordered], dtype=float) / max(len(baskets), 1),
            "itemsets": pd.Series([frozenset(names) for names, _ in ordered], dtype=object),
        }
    )


def _larger_sets(baskets: Baskets, frequent: Any, min_count: int, max_length: int | None) -> dict[tuple[str, ...], int]:
    """Sets of two or more, as sorted skus with the number of baskets that hold them."""
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    codes = np.flatnonzero(frequent)
    column = np.zeros(len(baskets.skus), dtype=np.int32)
    column[codes] = np.arange(len(codes), dtype=np.int32)
    matrix = csr_matrix(
        (np.ones(len(baskets.items), dtype=bool), column[baskets.items], baskets.starts),
        shape=(len(baskets), len(codes)),
    )
    frame = pd.DataFrame.sparse.from_spmatrix(matrix, columns=[baskets.skus[code] for code in codes])
    sets = fpgrowth(frame, min_support=min_count / len(baskets) - _ROUNDING, use_colnames=True, max_len=max_length)
    counts = np.rint(sets["support"].to_numpy() * len(baskets)).astype(int)
    return {
        tuple(sorted(names)): count
        for names, count in zip(sets["itemsets"], counts.tolist(), strict=True)
        if len(names) > 1
    }
