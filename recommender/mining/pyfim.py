"""Frequent itemsets by pyfim, Christian Borgelt's miners in C: an extra, and the fastest for shops of a middling size.

It holds every basket as a list of Python's integers, so its memory grows with all that was ever bought.
"""

from __future__ import annotations

from recommender.baskets import Baskets
from recommender.mining.itemsets import Level, compressed, frequent_items, levels_of, transactions_of


def find_itemsets(baskets: Baskets, min_count: int, max_length: int | None) -> list[Level]:
    """All sets of up to `max_length` products that at least `min_count` (1 or more) baskets hold, by length."""
    singles = frequent_items(baskets, min_count)
    if singles is None:
        return []
    kept = compressed(baskets, singles)
    if max_length == 1 or len(kept) < min_count:
        return [singles]
    import fim

    # pyfim passes over products that lie in every basket: one more basket, of a product of its own, leaves none.
    transactions = [*transactions_of(kept), [len(baskets.skus)]]
    limit = {} if max_length is None else {"zmax": max_length}
    # A support below zero is a number of baskets, report "a" asks for that number, and zmin for sets of two or more.
    return [singles, *levels_of(fim.eclat(transactions, supp=-min_count, zmin=2, report="a", **limit))]
