"""What each profile's offer starts from, and the products that go with it: many profiles in one reckoning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from recommender.catalogue import Catalogue
from recommender.choice import Candidate, Level
from recommender.history import History
from recommender.offer_definition import Basis, Model, Recommend
from recommender.published import Index
from recommender.ranking import propose

BASIS_ITEMS = 10
_CONSIDERED = 60
_LOADED_SELLERS = 50
# What is in the basket says most, what was only looked at least.
WEIGHTS = {Basis.ENTRY: 1.0, Basis.CART: 1.0, Basis.ORDERS: 0.7, Basis.VIEWED: 0.5}


def basis_of(recommend: Recommend, history: History, entry: Sequence[str]) -> dict[str, float]:
    """The products that the chosen ones shall go with, and how much each counts; `entry` are those of its event."""
    if recommend.model is not Model.ITEM_ITEM:
        return {}
    if recommend.of is Basis.ENTRY and entry:
        return dict.fromkeys(entry, WEIGHTS[Basis.ENTRY])
    every = recommend.of in (Basis.RECENT, Basis.ENTRY)
    basis = dict.fromkeys(entry, WEIGHTS[Basis.ENTRY])
    if history.cart and (every or recommend.of is Basis.CART):
        _add(basis, history.cart, WEIGHTS[Basis.CART])
    if history.bought and (every or recommend.of is Basis.ORDERS):
        _add(basis, history.last_bought(BASIS_ITEMS), WEIGHTS[Basis.ORDERS])
    if history.viewed and (every or recommend.of is Basis.VIEWED):
        _add(basis, history.viewed, WEIGHTS[Basis.VIEWED])
    return basis


def _add(basis: dict[str, float], skus: Sequence[str], weight: float) -> None:
    for sku in skus[:BASIS_ITEMS]:
        if sku not in basis:
            basis[sku] = weight


class Related:
    """The products that go with the basis of each profile, best first. Candidates are made as they are asked for."""

    def __init__(self, index: Index, bases: Mapping[int, Mapping[str, float]]) -> None:
        given = [
            (row, position, weight)
            for row, basis in enumerate(bases.values())
            for sku, weight in basis.items()
            if (position := index.positions.get(sku)) is not None
        ]
        rows, items, weights = zip(*given, strict=True) if given else ((), (), ())
        found = propose(
            index.ranking,
            np.array(rows, dtype=np.int64),
            np.array(items, dtype=np.int64),
            np.array(weights, dtype=float),
        ).first(_CONSIDERED)
        ends = np.searchsorted(found.row, np.arange(len(bases) + 1)).tolist()
        self._skus = index.ranking.skus
        self._ranges = dict(zip(bases, pairwise(ends), strict=True))
        self._items, self._scores = found.item.tolist(), found.score.tolist()
        self._because = found.because.tolist()

    def skus(self) -> set[str]:
        """Every product that is a candidate of anybody."""
        return {self._skus[item] for item in set(self._items)}

    def candidates(self, profile_id: int) -> Iterator[Candidate]:
        for place in range(*self._ranges[profile_id]):
            because = self._skus[self._because[place]]
            yield Candidate(self._skus[self._items[place]], Level.RULES, self._scores[place], because)


def best_selling(
    skus: Sequence[str], catalogue: Catalogue, level: Level, category: str | None = None
) -> Iterator[Candidate]:
    """A list of best sellers as candidates, their products looked up a page at a time."""
    for start in range(0, len(skus), _LOADED_SELLERS):
        some = skus[start : start + _LOADED_SELLERS]
        catalogue.load(some)
        for rank, sku in enumerate(some, start=start + 1):
            yield Candidate(sku, level, 1 / rank, category)
