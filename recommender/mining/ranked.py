"""Baskets laid out for a search: frequent products only, by rank from rare to common, and which pairs are frequent.

With the rare products first, what follows a product in a basket is short where the product is common, and each set of
products is met once: from its rarest member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recommender.baskets import Baskets, Flags, Int32s, Int64s

_BLOCKS = 6  # of products on the left of a pair: each block looks only at products that are as common or more
_PAIRS_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class Ranked:
    """Entries are (basket, product), by basket, and within it by rank; `items` holds the ranks, `width` of them.

    `behind` is how many entries of the same basket follow each entry. `places[begins[r]:begins[r + 1]]` are the entries
    of the product of rank r, and `rows` in the same order their baskets.
    """

    basket_count: int
    width: int
    items: Int32s
    behind: Int64s
    places: Int64s
    rows: Int64s
    begins: Int64s

    @staticmethod
    def of(baskets: Baskets, order: Int32s) -> Ranked:
        """`order` are the frequent products, the rarest first."""
        rank = np.full(len(baskets.skus), -1, dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        ranks = rank[baskets.items]
        is_frequent = ranks >= 0
        ranks, rows = ranks[is_frequent], baskets.rows[is_frequent]
        by_item = _stable_order(ranks)
        ranks, rows = ranks[by_item], rows[by_item]
        by_basket = _stable_order(rows)
        places = np.empty_like(by_basket)
        places[by_basket] = here = np.arange(len(rows))
        ends = np.cumsum(np.bincount(rows, minlength=len(baskets)))
        return Ranked(
            len(baskets),
            len(order),
            ranks[by_basket],
            ends[rows[by_basket]] - here - 1,
            places,
            rows,
            np.concatenate([[0], np.cumsum(np.bincount(ranks, minlength=len(order)))]),
        )

    def followers(self, places: Int64s, behind: Int64s) -> Int32s:
        """The entries behind each of `places`, one after the other."""
        starts = np.cumsum(behind) - behind
        return self.items[np.repeat(places + 1 - starts, behind) + np.arange(int(behind.sum()))]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of ranks that enough baskets hold, `left` below `right`, sorted by both; `keys` are for looking them up."""

    width: int
    left: Int64s
    right: Int64s
    counts: Int64s
    keys: Int64s

    def holds(self, left: Int64s, right: Int64s) -> Flags:
        """Whether each of these pairs is among them."""
        wanted = left * self.width + right
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        found: Flags = self.keys[place] == wanted
        return found


def find_pairs(ranked: Ranked, min_count: int) -> Pairs:
    """All pairs that at least `min_count` baskets hold: sparse blocks of products times all that is as common."""
    found = [np.empty((3, 0), dtype=np.int64), *_frequent_pairs(ranked, min_count)]
    left, right, counts = np.concatenate(found, axis=1)
    keys = left * ranked.width + right
    order = np.argsort(keys)
    return Pairs(ranked.width, left[order], right[order], counts[order], keys[order])


def _frequent_pairs(ranked: Ranked, min_count: int) -> Iterator[Int64s]:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    step = max(min(-(-ranked.width // _BLOCKS), _PAIRS_AT_ONCE // ranked.width), 1)
    counted = np.ones(len(ranked.items), dtype=np.int32)
    for first in range(0, ranked.width, step):
        last = min(first + step, ranked.width)
        begin, end = ranked.begins[first], ranked.begins[last]
        holders = csr_matrix(
            (counted[begin:end], ranked.rows[begin:end], ranked.begins[first : last + 1] - begin),
            shape=(last - first, ranked.basket_count),
        )
        later = ranked.items >= first
        held = np.bincount(ranked.rows[begin:], minlength=ranked.basket_count)
        starts = np.concatenate([[0], np.cumsum(held)])
        others = csr_matrix((counted[begin:], ranked.items[later], starts), shape=(ranked.basket_count, ranked.width))
        together = (holders @ others).tocoo()
        frequent = together.data >= min_count
        left = together.row[frequent].astype(np.int64) + first
        right, counts = together.col[frequent].astype(np.int64), together.data[frequent].astype(np.int64)
        upper = left < right
        yield np.stack([left[upper], right[upper], counts[upper]])


def _stable_order(values: Int32s | Int64s) -> Int64s:
    """An order by value that keeps equals as they stand: sixteen bits at a time, which numpy sorts in linear time."""
    order = np.argsort(values.astype(np.uint16), kind="stable")
    largest, shift = int(values.max(initial=0)), 16
    while largest >> shift:
        digits = (values >> shift).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
        shift += 16
    return order
