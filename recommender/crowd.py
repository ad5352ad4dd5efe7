"""What very many profiles give to the ranking and what they do not want of it, as columns of product positions.

It says for all at once what `related.basis_of` and the filters of `offers` say for one. Only those who looked at
something, have a cart, or came with products of an event are gone through one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from core.clock import to_micros
from recommender.baskets import Flags, Int64s
from recommender.bulk_ranking import Given
from recommender.history import BOUGHT_LATELY, Histories
from recommender.offer_definition import Basis, Model, Recommend
from recommender.published import Index
from recommender.ranking import NOTHING, Floats
from recommender.related import BASIS_ITEMS, WEIGHTS, basis_of


@dataclass(frozen=True, slots=True)
class Crowd:
    """Profiles by their rows, with the position of each product they bought in a ranking (`NOTHING` if it has none).

    `browsed` are the rows of those whose histories have more than purchases, or who came with an event's products.
    """

    histories: Histories
    entry_skus: Mapping[int, Sequence[str]]
    positions: Mapping[str, int]
    bought: Int64s
    browsed: Int64s

    def __len__(self) -> int:
        return len(self.histories)


def crowd_of(index: Index, histories: Histories, entry_skus: Mapping[int, Sequence[str]]) -> Crowd:
    positions = index.positions
    own = np.array([positions.get(sku, NOTHING) for sku in histories.bought.skus], dtype=np.int64)
    entered = [number for number in entry_skus if number in histories.places]
    browsed = np.array(sorted(histories.places[number] for number in {*histories.browsed, *entered}), dtype=np.int64)
    bought = own[histories.bought.item] if len(own) else np.empty(0, dtype=np.int64)
    return Crowd(histories, entry_skus, positions, bought, browsed)


def given_by(crowd: Crowd, recommend: Recommend, held_out: Collection[int]) -> Given:
    """What each profile shall be offered companions of; nothing of those held out."""
    places = crowd.histories.places
    row, item, weight = _bought_lately(crowd, recommend, np.array([places[one] for one in held_out], dtype=np.int64))
    more: list[tuple[int, int, float]] = []
    for place in crowd.browsed.tolist():
        number = crowd.histories.ids[place]
        if number not in held_out:
            basis = basis_of(recommend, crowd.histories[number], crowd.entry_skus.get(number, ()))
            more += [(place, code, weight) for sku, weight in basis.items() if (code := _code(crowd, sku)) >= 0]
    if more:
        rows, items, weights = zip(*more, strict=True)
        row, item = np.concatenate([row, rows]), np.concatenate([item, items])
        weight = np.concatenate([weight, weights])
        order = np.argsort(row, kind="stable")
        row, item, weight = row[order], item[order], weight[order]
    return Given(len(crowd), row, item, weight)


def in_baskets(crowd: Crowd, item: Int64s) -> Flags:
    """Which products of a table, one row a profile, lie in the cart of their row or came with its event."""
    cells = [
        (place, code)
        for place in crowd.browsed.tolist()
        for sku in _in_basket(crowd, crowd.histories.ids[place])
        if (code := _code(crowd, sku)) != NOTHING
    ]
    row, held = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    return _cells_in(item, row, held)


def owned(crowd: Crowd, recommend: Recommend, item: Int64s, now: datetime) -> Flags:
    """Which products of a table, one row a profile, that profile bought lately, or ever if the offer asks for it."""
    bought = crowd.histories.bought
    counts = crowd.bought != NOTHING
    if not recommend.exclude_owned:
        counts &= bought.at >= to_micros(now - BOUGHT_LATELY)
    return _cells_in(item, bought.row[counts], crowd.bought[counts])


def _cells_in(item: Int64s, row: Int64s, held: Int64s) -> Flags:
    if not len(row):
        return np.zeros(item.shape, dtype=bool)
    width = max(int(item.max()), int(held.max())) + 1
    keys = np.sort(row * width + held)
    asked = np.arange(len(item))[:, None] * width + np.maximum(item, 0)
    found = np.searchsorted(keys, asked)
    found[found == len(keys)] = 0
    is_in: Flags = (keys[found] == asked) & (item != NOTHING)
    return is_in


def _bought_lately(crowd: Crowd, recommend: Recommend, held_out: Int64s) -> tuple[Int64s, Int64s, Floats]:
    """The basis of those who are not gone through one by one."""
    nothing = np.empty(0, dtype=np.int64)
    counts = recommend.of in (Basis.RECENT, Basis.ENTRY, Basis.ORDERS) and recommend.model is Model.ITEM_ITEM
    if not counts:
        return nothing, nothing, np.empty(0)
    bought = crowd.histories.bought
    is_plain = np.ones(len(crowd), dtype=bool)
    is_plain[held_out] = is_plain[crowd.browsed] = False
    chosen = bought.latest(BASIS_ITEMS) & (crowd.bought != NOTHING) & is_plain[bought.row]
    item = crowd.bought[chosen]
    return bought.row[chosen], item, np.full(len(item), WEIGHTS[Basis.ORDERS])


def _in_basket(crowd: Crowd, number: int) -> list[str]:
    return [*crowd.histories[number].cart, *crowd.entry_skus.get(number, ())]


def _code(crowd: Crowd, sku: str) -> int:
    return crowd.positions.get(sku, NOTHING)
