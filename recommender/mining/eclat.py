"""Frequent itemsets by Eclat on packed bits, in numpy: the default engine.

Pairs are counted first, as products of sparse matrices (`ranked.py`). Larger sets begin with their rarest product: of
the baskets that hold it, each pair that can grow has one bit a basket, and a larger set is the intersection of two such
rows, counted in the processor's words (Zaki 2000). Only products that are frequent in pairs are joined, and all
children of many sets are intersected in one call. What is in work at a time is bounded, whatever is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Baskets, Flags, Int64s
from recommender.mining.itemsets import Level, frequent_items, ordered_level
from recommender.mining.ranked import Pairs, Ranked, find_pairs

Bits = NDArray[np.uint64]

_WORDS_AT_ONCE = 1 << 20  # 8 MB of intersections in work at a time, at each length of a set
_ENTRIES_AT_ONCE = 1 << 20
_PADDING = 1.5  # rows of one block are as long as the longest; they may be longer than needed by so much


def find_itemsets(baskets: Baskets, min_count: int, max_length: int | None) -> list[Level]:
    """All sets of up to `max_length` products that at least `min_count` (1 or more) baskets hold, by length."""
    singles = frequent_items(baskets, min_count)
    if singles is None:
        return []
    if max_length == 1:
        return [singles]
    order = singles.members[np.argsort(singles.counts, kind="stable"), 0]
    ranked = Ranked.of(baskets, order)
    pairs = find_pairs(ranked, min_count)
    if not len(pairs.keys):
        return [singles]
    search = _Search(ranked, pairs, min_count, max_length or len(order))
    search.run()
    levels = [singles, ordered_level(order[np.column_stack([pairs.left, pairs.right])], pairs.counts)]
    for length in sorted(search.found):
        members, counts = zip(*search.found.pop(length), strict=True)
        levels.append(ordered_level(order[np.concatenate(members)], np.concatenate(counts)))
    return levels


@dataclass(frozen=True, slots=True)
class _Search:
    """The walk over all sets of three and more; `found` are parts of the answer by length, in ranks."""

    ranked: Ranked
    pairs: Pairs
    min_count: int
    max_length: int
    found: dict[int, list[tuple[Int64s, Int64s]]] = field(default_factory=dict)

    def run(self) -> None:
        if self.max_length < 3:
            return
        growing = np.flatnonzero(self._can_grow())
        left = self.pairs.left[growing]
        holders = np.diff(self.ranked.begins)[left]
        begin = 0
        while begin < len(growing):
            # Ranks ascend with the number of baskets, so that rows of one block are of nearly the same length.
            width = max(holders[begin] * _PADDING, 64 * 4)
            end = int(np.searchsorted(holders, width, side="right"))
            end = min(end, begin + max(int(64 * _WORDS_AT_ONCE // width), 1))
            if end < len(left):
                # Pairs of one product stay together, or their children would be missed.
                cut = int(np.searchsorted(left, left[end]))
                end = cut if cut > begin else int(np.searchsorted(left, left[end], side="right"))
            self._search_block(growing[begin:end])
            begin = end

    def _can_grow(self) -> Flags:
        """Whether each pair is the side of a triangle of frequent pairs, with its own product first."""
        left, right = self.pairs.left, self.pairs.right
        can_grow = np.zeros(len(left), dtype=bool)
        siblings = _equal_after(left)
        for piece in _pieces(siblings, _ENTRIES_AT_ONCE):
            one, other = _joined(piece, siblings)
            closed = self.pairs.holds(right[one], right[other])
            can_grow[one[closed]] = True
            can_grow[other[closed]] = True
        return can_grow

    def _search_block(self, chosen: Int64s) -> None:
        """All larger sets that begin with one of these pairs."""
        ranked, left, right = self.ranked, self.pairs.left[chosen], self.pairs.right[chosen]
        products, local = np.unique(left, return_inverse=True)
        holders = ranked.begins[products + 1] - ranked.begins[products]
        row = np.full((len(products), ranked.width), -1, dtype=np.int32)
        row[local, right] = np.arange(len(chosen), dtype=np.int32)
        held = np.zeros((len(chosen), 8 * -(-int(holders.max()) // 64)), dtype=np.uint8)
        product = np.repeat(np.arange(len(products)), holders)
        basket = np.arange(len(product)) - np.repeat(np.cumsum(holders) - holders, holders)
        places = ranked.places[basket + np.repeat(ranked.begins[products], holders)]
        behind = ranked.behind[places]
        for piece in _pieces(behind, _ENTRIES_AT_ONCE):
            items = ranked.followers(places[piece], behind[piece])
            chosen_row = row[np.repeat(product[piece], behind[piece]), items]
            is_held = chosen_row >= 0
            _set_bits(held, chosen_row[is_held].astype(np.int64), np.repeat(basket[piece], behind[piece])[is_held])
        self._grow(held.view(np.uint64), np.column_stack([left, right]), _equal_after(left))

    def _grow(self, held: Bits, members: Int64s, siblings: Int64s) -> None:
        """All sets that join two rows which differ in their last product only; `siblings` are those below each row."""
        last = members[:, -1]
        for piece in _pieces(siblings, max(_WORDS_AT_ONCE // held.shape[1], 1)):
            one, other = _joined(piece, siblings)
            may_be = self.pairs.holds(last[one], last[other])
            one, other = one[may_be], other[may_be]
            joint = held[one]
            joint &= held[other]
            counts = np.bitwise_count(joint).sum(axis=1, dtype=np.int64)
            kept = counts >= self.min_count
            if not kept.any():
                continue
            one, other = one[kept], other[kept]
            larger = np.column_stack([members[one], last[other]])
            self.found.setdefault(larger.shape[1], []).append((larger, counts[kept]))
            below = _equal_after(one)
            if larger.shape[1] < self.max_length and below.any():
                self._grow(joint[kept], larger, below)


def _equal_after(groups: Int64s) -> Int64s:
    """How many of the same group come after each; `groups` ascend."""
    return np.searchsorted(groups, groups, side="right") - np.arange(len(groups)) - 1


def _joined(piece: slice, siblings: Int64s) -> tuple[Int64s, Int64s]:
    """Each row of the piece beside each of its siblings."""
    spread = siblings[piece]
    one = np.repeat(np.arange(len(siblings))[piece], spread)
    return one, np.arange(len(one)) - np.repeat(np.cumsum(spread) - spread, spread) + one + 1


def _pieces(sizes: Int64s, most: int) -> Iterator[slice]:
    """Runs of rows whose sizes add up to `most` at the most; a larger row stands alone."""
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = int(ends[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(ends, before + most, side="right")), begin + 1)
        yield slice(begin, end)
        begin = end


def _set_bits(held: NDArray[np.uint8], rows: Int64s, bits: Int64s) -> None:
    """Each bit is named once, so that adding is the same as setting, and faster."""
    flat = rows * held.shape[1] + (bits >> 3)
    np.add.at(held.reshape(-1), flat, (1 << (bits & 7)).astype(np.uint8))
