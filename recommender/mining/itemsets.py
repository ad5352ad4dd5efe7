"""Frequent itemsets in columns: what every engine answers, in one order, so that engines can be compared.

A set is a row of small integers and a count, never a Python object. Whoever wants mlxtend's frame asks `frames.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np

from recommender.baskets import Baskets, Int32s, Int64s


@dataclass(frozen=True, slots=True)
class Level:
    """All frequent sets of one length: `members` (sets x length, int32) ascending in each row, rows in order; `counts`
    the number of baskets that hold each set.
    """

    members: Int32s
    counts: Int64s

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, slots=True)
class Itemsets:
    """Every set of products that enough of `basket_count` baskets hold; `levels[k]` are those of k + 1 products.

    Products are positions in `skus`. With a set all its subsets are there. There is no empty level.
    """

    skus: tuple[str, ...]
    basket_count: int
    levels: tuple[Level, ...]

    def __len__(self) -> int:
        return sum(len(level) for level in self.levels)

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], int]]:
        """Each set as products and count, short sets first."""
        for level in self.levels:
            for members, count in zip(level.members.tolist(), level.counts.tolist(), strict=True):
                yield tuple(members), count


def frequent_items(baskets: Baskets, min_count: int) -> Level | None:
    """The first level, which needs no engine; None where no product is frequent."""
    counts = baskets.item_counts()
    found = np.flatnonzero(counts >= min_count)
    return Level(found[:, None].astype(np.int32), counts[found]) if len(found) else None


def ordered_level(members: Int64s | Int32s, counts: Int64s) -> Level:
    """The sets of one length from rows in any order, with members in any order."""
    rows = np.sort(members, axis=1)
    order = np.lexsort(rows.T[::-1])
    return Level(rows[order].astype(np.int32), counts[order].astype(np.int64))


def levels_of(sets: Iterable[tuple[Sequence[int], int]]) -> list[Level]:
    """Levels from single sets, as the engines outside of numpy give them: (products, count) in any order."""
    by_length: dict[int, tuple[list[Sequence[int]], list[int]]] = {}
    for members, count in sets:
        listed, counts = by_length.setdefault(len(members), ([], []))
        listed.append(members)
        counts.append(count)
    levels = []
    for length in sorted(by_length):
        listed, counts = by_length[length]
        flat = np.fromiter(chain.from_iterable(listed), dtype=np.int64, count=length * len(listed))
        levels.append(ordered_level(flat.reshape(-1, length), np.array(counts, dtype=np.int64)))
    return levels


def transactions_of(baskets: Baskets) -> list[list[int]]:
    """Each basket as a list of product codes, for the engines that take Python's lists."""
    items = baskets.items.tolist()
    return [items[start:end] for start, end in pairwise(baskets.starts.tolist())]


def compressed(baskets: Baskets, frequent: Level) -> Baskets:
    """The baskets without the rare products and then without what is left of one product or none.

    In this order: the other way round leaves baskets of one behind. Products keep their codes.
    """
    chosen = np.zeros(len(baskets.skus), dtype=bool)
    chosen[frequent.members[:, 0]] = True
    kept = baskets.of_items(chosen)
    return kept.where(kept.sizes > 1)
