"""Filling the places of very many offers from the rules alone, where that suffices: what a mail to everybody needs.

It chooses what `choice.choose` would choose. Whoever cannot be served so is left out, for the ordinary way to serve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

import numpy as np

from recommender.baskets import Flags, Int64s
from recommender.bulk_ranking import Best, Float32s, Given, companions_of, propose_best, reasons
from recommender.catalogue import Catalogue
from recommender.decisions import StoredItem
from recommender.history import BOUGHT_LATELY, History
from recommender.offer_definition import Offer
from recommender.published import Index
from recommender.ranking import NOTHING

_SPARE = 13  # candidates beside those that are wanted: most people have bought or hold only a few of them


def fill_from_rules(
    index: Index,
    catalogue: Catalogue,
    offer: Offer,
    histories: Mapping[int, History],
    entry_skus: Mapping[int, Sequence[str]],
    bases: Mapping[int, Mapping[str, float]],
    now: datetime,
) -> dict[int, tuple[StoredItem, ...]]:
    """What each profile is offered whose `count` places the rules fill; offers with a cap a category are not served."""
    count = offer.recommend.count
    if offer.recommend.per_category is not None or not index.positions:
        return {}
    numbers, given = _given(index, bases)
    if not numbers:
        return {}
    companions = companions_of(index.ranking)
    best = propose_best(companions, given, count + _SPARE)
    skus = index.ranking.skus
    known = np.unique(best.item[best.item != NOTHING])
    catalogue.load(chain((skus[code] for code in known.tolist()), (skus[code] for code in np.unique(given.item))))
    row, item, score = _chosen(index, catalogue, offer, numbers, histories, entry_skus, best, known, now)
    because = reasons(companions, given, row, item).tolist()
    told = {code: told_companion(skus[code], catalogue) for code in set(because)}
    items = map(
        StoredItem,
        map(skus.__getitem__, item.tolist()),
        map(told.__getitem__, because),
        np.round(score.astype(np.float64), 6).tolist(),
    )
    served = row[::count].tolist()
    return {numbers[place]: some for place, some in zip(served, _groups(items, count), strict=True)}


def told_companion(sku: str, catalogue: Catalogue) -> str:
    """Why something is offered that goes with `sku`."""
    other = catalogue.find(sku)
    return f"bought together with {other.name if other else sku}"


def _given(index: Index, bases: Mapping[int, Mapping[str, float]]) -> tuple[list[int], Given]:
    """The profiles for whose basis the rules know something, and what that is."""
    positions = index.positions
    numbers: list[int] = []
    sizes: list[int] = []
    items: list[int] = []
    weights: list[float] = []
    for number, basis in bases.items():
        known = [sku for sku in basis if sku in positions]
        if known:
            numbers.append(number)
            sizes.append(len(known))
            items += map(positions.__getitem__, known)
            weights += map(basis.__getitem__, known)
    row = np.repeat(np.arange(len(numbers)), sizes)
    return numbers, Given(len(numbers), row, np.array(items, dtype=np.int64), np.array(weights))


def _chosen(
    index: Index,
    catalogue: Catalogue,
    offer: Offer,
    numbers: Sequence[int],
    histories: Mapping[int, History],
    entry_skus: Mapping[int, Sequence[str]],
    best: Best,
    known: Int64s,
    now: datetime,
) -> tuple[Int64s, Int64s, Float32s]:
    """Row, product and score of the first `count` allowed candidates of each row that has so many."""
    count, width = offer.recommend.count, len(index.ranking.skus)
    for_sale, again = np.zeros(width + 1, dtype=bool), np.zeros(width, dtype=bool)
    for code in known.tolist():
        product = catalogue.find(index.ranking.skus[code])
        if product is not None:
            for_sale[code], again[code] = product.is_for_sale, product.is_replenishable
    allowed = for_sale[best.item]  # nothing is position -1, the last, which is never for sale
    allowed &= ~_unwanted(index, offer, numbers, histories, entry_skus, best.item, again, now)
    place = np.cumsum(allowed, axis=1)
    taken = allowed & (place <= count) & (place[:, -1:] >= count)
    row, column = np.nonzero(taken)
    return row, best.item[row, column], best.score[row, column]


def _unwanted(
    index: Index,
    offer: Offer,
    numbers: Sequence[int],
    histories: Mapping[int, History],
    entry_skus: Mapping[int, Sequence[str]],
    item: Int64s,
    again: Flags,
    now: datetime,
) -> Flags:
    """Which candidates lie in the basket of their row, or were bought and do not run out."""
    width = len(index.ranking.skus)
    find = index.positions.get
    since = None if offer.recommend.exclude_owned else now - BOUGHT_LATELY
    held: list[int] = []
    bought: list[int] = []
    for row, number in enumerate(numbers):
        history = histories[number]
        if history.cart or number in entry_skus:
            in_basket = chain(history.cart, entry_skus.get(number, ()))
            held += [row * width + code for sku in in_basket if (code := find(sku)) is not None]
        owned = history.bought if since is None else history.bought_since(since)
        if owned:
            bought += [row * width + code for sku in owned if (code := find(sku)) is not None]
    old = np.array(bought, dtype=np.int64)
    unwanted = np.sort(np.concatenate([np.array(held, dtype=np.int64), old[~again[old % width]]]))
    if not len(unwanted):
        return np.zeros(item.shape, dtype=bool)
    key = np.arange(len(numbers))[:, None] * width + item
    found = np.searchsorted(unwanted, key)
    found[found == len(unwanted)] = 0
    is_unwanted: Flags = unwanted[found] == key
    return is_unwanted


def _groups(items: Iterator[StoredItem], count: int) -> Iterator[tuple[StoredItem, ...]]:
    return zip(*[items] * count, strict=True)
