"""Filling the places of very many offers from the rules alone, where that suffices: what a mail to everybody needs.

It chooses what `choice.choose` would choose. Whoever cannot be served so is left out, for the ordinary way to serve.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np

from recommender.baskets import Int64s
from recommender.bulk_ranking import Best, Float32s, companions_of, propose_best, reasons
from recommender.catalogue import Catalogue
from recommender.crowd import Crowd, crowd_of, given_by, in_baskets, owned
from recommender.decisions import StoredItem
from recommender.history import Histories
from recommender.offer_definition import Offer
from recommender.published import Index
from recommender.ranking import NOTHING

_CONSIDERED = 13  # candidates beside those that are wanted: most people have bought or hold only a few of them
_SPARE = 2  # of the rest, so many are looked up beside those that are wanted: most products are for sale


def fill_from_rules(
    index: Index,
    catalogue: Catalogue,
    offer: Offer,
    histories: Histories,
    entry_skus: Mapping[int, Sequence[str]],
    held_out: Collection[int],
    now: datetime,
) -> dict[int, tuple[StoredItem, ...]]:
    """What each profile is offered whose `count` places the rules fill; offers with a cap a category are not served."""
    count = offer.recommend.count
    if offer.recommend.per_category is not None or not index.positions:
        return {}
    crowd = crowd_of(index, histories, entry_skus)
    given = given_by(crowd, offer.recommend, held_out)
    if not len(given.row):
        return {}
    companions = companions_of(index.ranking)
    best = propose_best(companions, given, count + _CONSIDERED)
    row, item, score = _chosen(index, catalogue, offer, crowd, best, now)
    because = reasons(companions, given, row, item).tolist()
    skus = index.ranking.skus
    catalogue.load(skus[code] for code in set(because))
    told = {code: told_companion(skus[code], catalogue) for code in set(because)}
    items = map(
        StoredItem,
        map(skus.__getitem__, item.tolist()),
        map(told.__getitem__, because),
        np.round(score.astype(np.float64), 6).tolist(),
    )
    served = map(histories.ids.__getitem__, row[::count].tolist())
    return dict(zip(served, _groups(items, count), strict=True))


def told_companion(sku: str, catalogue: Catalogue) -> str:
    """Why something is offered that goes with `sku`."""
    other = catalogue.find(sku)
    return f"bought together with {other.name if other else sku}"


def _chosen(
    index: Index, catalogue: Catalogue, offer: Offer, crowd: Crowd, best: Best, now: datetime
) -> tuple[Int64s, Int64s, Float32s]:
    """Row, product and score of the first `count` allowed candidates of each row that has so many."""
    count, skus = offer.recommend.count, index.ranking.skus
    wanted = (best.item != NOTHING) & ~in_baskets(crowd, best.item)
    bought = owned(crowd, offer.recommend, best.item, now)
    wanted &= np.cumsum(wanted & ~bought, axis=1) <= count + _SPARE
    codes = np.unique(best.item[wanted]).tolist()
    catalogue.load(skus[code] for code in codes)
    for_sale, again = np.zeros(len(skus), dtype=bool), np.zeros(len(skus), dtype=bool)
    for code in codes:
        product = catalogue.find(skus[code])
        if product is not None:
            for_sale[code], again[code] = product.is_for_sale, product.is_replenishable
    allowed = wanted & for_sale[best.item] & (again[best.item] | ~bought)
    place = np.cumsum(allowed, axis=1)
    row, column = np.nonzero(allowed & (place <= count) & (place[:, -1:] >= count))
    return row, best.item[row, column], best.score[row, column]


def _groups(items: Iterator[StoredItem], count: int) -> Iterator[tuple[StoredItem, ...]]:
    return zip(*[items] * count, strict=True)
