"""Association rules: "who buys these also buys that", and by how much more than chance would have it.

One product on the right-hand side, because that is what can be offered. Rules are shown to people and serve as floors;
the order in which products are offered is another matter (`ranking.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Flags, Int32s, Int64s

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

    support = count / baskets, confidence = count / baskets with the antecedent, lift = confidence / the consequent's
    own share of the baskets (Agrawal, Imieliński, Swami 1993; Brin et al. 1997).
    """

    antecedent: tuple[str, ...]
    consequent: str
    count: int
    support: float
    confidence: float
    lift: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules in columns, the most confident first; `antecedent` is padded with -1. Products are positions in `skus`."""

    skus: tuple[str, ...]
    antecedent: Int32s
    consequent: Int32s
    count: Int64s
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
                float(self.support[place]),
                float(self.confidence[place]),
                float(self.lift[place]),
            )


@dataclass(frozen=True, slots=True)
class _Level:
    """All frequent sets of one length: `keys` sorted, each the place of the set without its last product, times the
    number of products, plus the last product; `members` and `counts` in the same order.
    """

    keys: Int64s
    members: Int64s
    counts: Int64s


def derive_rules(itemsets: Any, skus: Sequence[str], basket_count: int, floors: Floors) -> Rules:
    """The single-consequent rules of a frame of itemsets as `mining.mine` answers it.

    The frame must be complete: with a set it holds all its subsets. Raises KeyError for a product not in `skus`.
    """
    levels = _levels(itemsets, {sku: code for code, sku in enumerate(skus)}, basket_count)
    width = max(len(levels) - 1, 1)
    parts = [_no_rules(width)]
    parts += [
        _rules_of(levels, length, left_out, width) for length in range(2, len(levels) + 1) for left_out in range(length)
    ]
    antecedent, consequent, count, antecedent_count = (
        np.concatenate([part[column] for part in parts]) for column in range(4)
    )
    own = np.zeros(max(len(skus), 1), dtype=np.int64)
    if levels:
        own[levels[0].members[:, 0]] = levels[0].counts
    confidence = count / antecedent_count
    lift = confidence * basket_count / own[consequent]
    kept = (confidence >= floors.confidence - _ROUNDING) & (lift > floors.lift) & (count >= floors.count)
    order = _order(kept, antecedent, consequent, count, confidence)
    return Rules(
        tuple(skus),
        antecedent[order].astype(np.int32),
        consequent[order].astype(np.int32),
        count[order],
        count[order] / max(basket_count, 1),
        confidence[order],
        lift[order],
    )


def _levels(itemsets: Any, codes: dict[str, int], basket_count: int) -> list[_Level]:
    counts = np.rint(itemsets["support"].to_numpy() * basket_count).astype(np.int64).tolist()
    by_length: dict[int, list[tuple[list[int], int]]] = {}
    for names, count in zip(itemsets["itemsets"], counts, strict=True):
        by_length.setdefault(len(names), []).append((sorted(codes[name] for name in names), count))
    levels: list[_Level] = []
    for length in range(1, max(by_length, default=0) + 1):
        members = np.array([entry[0] for entry in by_length[length]], dtype=np.int64)
        keys = members[:, -1]
        if length > 1:
            keys = _places(levels, members[:, :-1]) * _base(levels) + keys
        order = np.argsort(keys)
        held = np.array([entry[1] for entry in by_length[length]], dtype=np.int64)
        levels.append(_Level(keys[order], members[order], held[order]))
    return levels


def _places(levels: Sequence[_Level], members: Int64s) -> Int64s:
    """Where each row of `members` (ascending products) stands in its level."""
    place = np.searchsorted(levels[0].keys, members[:, 0])
    for column in range(1, members.shape[1]):
        place = np.searchsorted(levels[column].keys, place * _base(levels) + members[:, column])
    return place.astype(np.int64)


def _base(levels: Sequence[_Level]) -> int:
    return int(levels[0].keys[-1]) + 1


def _rules_of(
    levels: Sequence[_Level], length: int, left_out: int, width: int
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Of all sets of one length the rules with the product at one place on the right."""
    level = levels[length - 1]
    antecedent = np.delete(level.members, left_out, axis=1)
    padded = np.full((len(antecedent), width), _NOTHING, dtype=np.int64)
    padded[:, : length - 1] = antecedent
    antecedent_count = levels[length - 2].counts[_places(levels, antecedent)]
    return padded, level.members[:, left_out], level.counts, antecedent_count


def _no_rules(width: int) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    nothing = np.empty(0, dtype=np.int64)
    return np.empty((0, width), dtype=np.int64), nothing, nothing, nothing


def _order(kept: Flags, antecedent: Int64s, consequent: Int64s, count: Int64s, confidence: Floats) -> Int64s:
    """The kept rules: confident ones first, then frequent ones, then by product, so that a run can be repeated."""
    by_product = [antecedent[:, column] for column in reversed(range(antecedent.shape[1]))]
    order = np.lexsort((*by_product, consequent, -count, -confidence))
    return order[kept[order]].astype(np.int64)
