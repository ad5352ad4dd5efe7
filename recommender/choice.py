"""Which candidates fill an offer's places. Pure.

Candidates come best first, in a chain from what was learnt about the basket down to the whole catalogue; each is taken,
passed over, or kept in reserve because its category has its share already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Where in the chain a product was found; of a whole offer, the furthest that was needed."""

    REPLENISHMENT = "replenishment"
    RULES = "rules"
    CATEGORY = "category"
    BESTSELLERS = "bestsellers"
    CATALOGUE = "catalogue"
    NONE = "none"  # nothing could be offered


_DEPTH = {level: depth for depth, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """`because` is the product or category that speaks for it; `score` only compares candidates of one level."""

    sku: str
    level: Level
    score: float = 0.0
    because: str | None = None


def choose(
    count: int,
    candidates: Iterable[Candidate],
    last_resort: Callable[[], Iterable[Candidate]],
    *,
    is_allowed: Callable[[str], bool],
    category_of: Callable[[str], str | None],
    per_category: int | None = None,
) -> list[Candidate]:
    """The first `count` allowed candidates, at most `per_category` of one category where there are others.

    Never fewer than `count` while `candidates` and `last_resort` hold as many allowed ones; `last_resort` is asked only
    when it is needed. No product comes twice.
    """
    chosen: list[Candidate] = []
    reserve: list[Candidate] = []
    seen: set[str] = set()
    in_category: Counter[str] = Counter()
    for candidate in candidates:
        if len(chosen) == count:
            return chosen
        if candidate.sku in seen or not is_allowed(candidate.sku):
            continue
        seen.add(candidate.sku)
        category = category_of(candidate.sku) if per_category else None
        if category is not None:
            in_category[category] += 1
            if per_category and in_category[category] > per_category:
                reserve.append(candidate)
                continue
        chosen.append(candidate)
    chosen += reserve[: count - len(chosen)]
    if len(chosen) < count:
        for candidate in last_resort():
            if candidate.sku not in seen and is_allowed(candidate.sku):
                seen.add(candidate.sku)
                chosen.append(candidate)
                if len(chosen) == count:
                    break
    return chosen


def deepest(levels: Iterable[Level]) -> Level:
    """The level furthest down the chain; `none` without any."""
    return max(levels, key=_DEPTH.__getitem__, default=Level.NONE)
