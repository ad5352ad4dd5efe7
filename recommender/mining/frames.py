"""Itemsets as mlxtend's frame, for whoever works with mlxtend, and its rules with several products on the right.

Only for these: rules with one product on the right are made in columns (`recommender/rules.py`), hundreds of times
faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.mining.itemsets import Itemsets

if TYPE_CHECKING:
    from pandas import DataFrame


def frame_of(itemsets: Itemsets) -> DataFrame:
    """A row a set: `support` as a share of all baskets, `itemsets` as a frozenset of skus; short ones first."""
    import pandas as pd

    skus = itemsets.skus
    counts = [level.counts for level in itemsets.levels]
    names = [frozenset(skus[code] for code in row) for level in itemsets.levels for row in level.members.tolist()]
    return pd.DataFrame(
        {
            "support": np.concatenate([np.empty(0), *counts]) / max(itemsets.basket_count, 1),
            "itemsets": pd.Series(names, dtype=object),
        }
    )


def rules_of_any_width(itemsets: Itemsets, min_confidence: float) -> DataFrame:
    """Rules with any number of products on both sides, as mlxtend's frame of rules.

    It makes 2^k rules of a set of k, one by one in Python: for looking at a few thousand sets.
    """
    from mlxtend.frequent_patterns import association_rules

    return association_rules(frame_of(itemsets), metric="confidence", min_threshold=min_confidence)
