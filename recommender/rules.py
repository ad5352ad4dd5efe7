"""Association rules: "who buys these also buys that", and by how much more than chance would have it.

One product on the right-hand side, because that is what can be offered. Rules are shown to people and serve as floors;
the order in which products are offered is another matter (`ranking.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Flags, Int32s, Int64s
from recommender.mining.itemsets import Itemsets, Level

Floats = NDArray[np.float64]

_NOTHING = -1
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Floors:
    """What a rule must reach to be kept. `lift` must be exceeded, the others reached."""

    confidence: float = 0.1
    lift: float = 1.0
    count: int = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """`antecedent` → `consequent` (skus). `count` is the number of baskets that hold all of it.

    support = count / baskets, confidence = count / antecedent_count, lift = confidence / (consequent_count / baskets)
    (Agrawal, Imieliński, Swami 1993; Brin et al. 1997).
    """

    antecedent: tuple[str, ...]
    consequent: str
    count: int
    antecedent_count: int
    consequent_count: int
    support: float
    confidence: float
    lift: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules in columns, the most confident first; `antecedent` is padded with -1. Products are positions in `skus`.

    The counts are of baskets that hold the whole rule, its left side, and its right side.
    """

    skus: tuple[str, ...]
    antecedent: Int32s
    consequent: Int32s
    count: Int64s
    antecedent_count: Int64s
    consequent_count: Int64s
    support: Floats
    confidence: Floats
    lift: Floats

    def __len__(self) -> int:
        return len(self.consequent)

    def lengths(self) -> Int64s:
        """How many products each rule names on both sides."""
        named: Int64s = np.count_nonzero(self.antecedent != _NOTHING, axis=1)
        return named + 1

    def __iter__(self) -> Iterator[Rule]:
        for place in range(len(self)):
            antecedent = self.antecedent[place]
            yield Rule(
                tuple(self.skus[code] for code in antecedent[antecedent != _NOTHING]),
                self.skus[self.consequent[place]],
                int(self.count[place]),
                int(self.antecedent_count[place]),
                int(self.consequent_count[place]),
                float(self.support[place]),
                float(self.confidence[place]),
                float(self.lift[place]),
            )


def derive_rules(itemsets: Itemsets, floors: Floors) -> Rules:
    """All rules with one product on the right that the sets allow and that reach the floors."""
    index = _Index.of(itemsets.levels)
    width = max(len(itemsets.levels) - 1, 1)
    parts = [_no_rules(width)]
    parts += [
        _rules_of(index, level, left_out, width)
        for level in itemsets.levels[1:]
        for left_out in range(level.members.shape[1])
    ]
    antecedent, consequent, count, antecedent_count = (
        np.concatenate([part[column] for part in parts]) for column in range(4)
    )
    own = np.zeros(max(len(itemsets.skus), 1), dtype=np.int64)
    for single in itemsets.levels[:1]:
        own[single.members[:, 0]] = single.counts
    consequent_count = own[consequent]
    confidence = count / antecedent_count
    lift = confidence * itemsets.basket_count / consequent_count
    kept = (confidence >= floors.confidence - _ROUNDING) & (lift > floors.lift) & (count >= floors.count)
    order = _order(kept, antecedent, consequent, count, confidence)
    return Rules(
        itemsets.skus,
        antecedent[order],
        consequent[order],
        count[order],
        antecedent_count[order],
        consequent_count[order],
        count[order] / max(itemsets.basket_count, 1),
        confidence[order],
        lift[order],
    )


@dataclass(frozen=True, slots=True)
class _Index:
    """Where a set stands in its level. `keys[k]` are numbers for the sets of k + 1 products, ascending as the sets do:
    the place of the set without its last product, times `base`, plus the last product.
    """

    keys: tuple[Int64s, ...]
    counts: tuple[Int64s, ...]
    base: int

    @staticmethod
    def of(levels: Sequence[Level]) -> _Index:
        base = int(levels[0].members[-1, 0]) + 1 if levels else 1
        index = _Index((), (), base)
        for level in levels:
            members = level.members.astype(np.int64)
            before = index.places(members[:, :-1]) if index.keys else 0
            keys: Int64s = before * base + members[:, -1]
            index = _Index((*index.keys, keys), (*index.counts, level.counts), base)
        return index

    def places(self, members: Int64s | Int32s) -> Int64s:
        """Of each row of `members` (ascending products), which must be frequent as well."""
        place = np.zeros(len(members), dtype=np.int64)
        for column in range(members.shape[1]):
            place = np.searchsorted(self.keys[column], place * self.base + members[:, column])
        return place


def _rules_of(index: _Index, level: Level, left_out: int, width: int) -> tuple[Int32s, Int32s, Int64s, Int64s]:
    """Of all sets of one length the rules with the product at one place on the right."""
    antecedent = np.delete(level.members, left_out, axis=1)
    length = antecedent.shape[1]
    padded = np.full((len(antecedent), width), _NOTHING, dtype=np.int32)
    padded[:, :length] = antecedent
    antecedent_count = index.counts[length - 1][index.places(antecedent)]
    return padded, level.members[:, left_out], level.counts, antecedent_count


def _no_rules(width: int) -> tuple[Int32s, Int32s, Int64s, Int64s]:
    nothing = np.empty(0, dtype=np.int64)
    return np.empty((0, width), dtype=np.int32), nothing.astype(np.int32), nothing, nothing


def _order(kept: Flags, antecedent: Int32s, consequent: Int32s, count: Int64s, confidence: Floats) -> Int64s:
    """The kept rules: confident ones first, then frequent ones, then by product, so that a run can be repeated."""
    chosen = np.flatnonzero(kept)
    by_product = [antecedent[chosen, column] for column in reversed(range(antecedent.shape[1]))]
    order = np.lexsort((*by_product, consequent[chosen], -count[chosen], -confidence[chosen]))
    return chosen[order]
