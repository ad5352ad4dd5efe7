"""Questions whose answers are known: products that are given, and products that were really bought with them.

One kind of question for each place at which products are proposed. Which baskets are asked about and what they show is
drawn with a fixed seed, so that two rankings are asked the same and a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Baskets, Flags, Int64s

Floats = NDArray[np.float64]

MOST_SHOWN = 5
_LAST_BOUGHT = 10


class Surface(StrEnum):
    """Where products are proposed, and thus what a good proposal is."""

    BASKET = "basket"  # what else lies in a basket of which some products are seen
    PRODUCT = "product"  # what else lies in it when one product is looked at
    MAIL = "mail"  # what a customer buys next that they never bought
    REPLENISHMENT = "replenishment"  # what a customer buys next, also again


@dataclass(frozen=True, slots=True)
class Pairs:
    """Row and product of each entry, as positions; rows ascend."""

    row: Int64s
    item: Int64s

    def where(self, chosen: Flags) -> Pairs:
        return Pairs(self.row[chosen], self.item[chosen])

    def keys(self, width: int) -> Int64s:
        """One number for each entry, where there are `width` products."""
        return self.row * max(width, 1) + self.item


@dataclass(frozen=True, slots=True)
class Questions:
    """`count` rows, each with products that are given, that are hidden, and that would be no proposal.

    Products are positions in `skus`. `weight` says how often each given product was bought by the row's customer.
    """

    skus: tuple[str, ...]
    count: int
    given: Pairs
    weight: Floats
    hidden: Pairs
    excluded: Pairs


@dataclass(frozen=True, slots=True)
class Purchases:
    """Baskets, and the profile that each belongs to (-1 for nobody)."""

    baskets: Baskets
    customer: Int64s

    def where(self, chosen: Flags) -> Purchases:
        return Purchases(self.baskets.where(chosen), self.customer[chosen])

    def split(self, cut: int) -> tuple[Purchases, Purchases]:
        """Before the instant `cut` (microseconds since 1970, UTC) and from it on."""
        early = self.baskets.placed_at < cut
        return self.where(early), self.where(~early)


def ask(
    baskets: Baskets, *, least: int = 3, most: int = 3000, most_shown: int = MOST_SHOWN, seed: int = 1
) -> Questions:
    """Questions from the baskets of at least `least` products: min(`most_shown`, half) of them given, the rest hidden.

    Of more than `most` such baskets that many are drawn. Leave out the products that the ranking cannot know
    (`Baskets.of_items`) before.
    """
    chance = np.random.default_rng(seed)
    fit = np.flatnonzero(baskets.sizes >= least)
    if len(fit) > most:
        fit = np.sort(chance.choice(fit, most, replace=False))
    asked = baskets.where(_flags(len(baskets), fit))
    row, item = asked.rows, asked.items.astype(np.int64)
    order = np.lexsort((chance.random(len(item)), row))
    place = np.arange(len(item)) - np.repeat(asked.starts[:-1], asked.sizes)
    is_given = place < np.minimum(most_shown, asked.sizes // 2)[row]
    drawn = Pairs(row[order], item[order])
    given = drawn.where(is_given)
    return Questions(baskets.skus, len(asked), given, np.ones(len(given.row)), drawn.where(~is_given), given)


def ask_customers(past: Purchases, future: Purchases, *, again: bool, most: int = 3000, seed: int = 1) -> Questions:
    """Questions from the first order of `future` of each customer who ordered in `past`, about products known there.

    With `again` everything they had bought is given and may be right; without, the ten products they bought last are
    given, and only what they had never bought is asked for.
    """
    owned, count, last = _histories(past)
    chance = np.random.default_rng(seed)
    known = future.baskets.of_items(past.baskets.item_counts() > 0)
    order = np.lexsort((known.placed_at, future.customer))
    order = order[future.customer[order] >= 0]
    customer, first = np.unique(future.customer[order], return_index=True)
    basket = order[first]
    old = np.isin(customer, owned.row)
    customer, basket = customer[old], basket[old]
    row_of = np.full(len(known), -1, dtype=np.int64)
    row_of[basket] = np.arange(len(basket))
    bought = Pairs(row_of[known.rows], known.items.astype(np.int64)).where(row_of[known.rows] >= 0)
    bought = _ordered(bought)
    at_hand = np.isin(owned.row, customer)
    had = Pairs(np.searchsorted(customer, owned.row[at_hand]), owned.item[at_hand])
    count, last = count[at_hand], last[at_hand]
    width = len(known.skus)
    hidden = bought if again else bought.where(~np.isin(bought.keys(width), had.keys(width)))
    asked = np.unique(hidden.row)
    if len(asked) > most:
        asked = np.sort(chance.choice(asked, most, replace=False))
    latest = np.ones(len(had.row), dtype=bool) if again else _latest(had, last)
    nothing = Pairs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    given = latest & np.isin(had.row, asked)
    return Questions(
        known.skus,
        len(asked),
        _renumbered(had.where(given), asked),
        count[given],
        _renumbered(hidden.where(np.isin(hidden.row, asked)), asked),
        nothing if again else _renumbered(had.where(np.isin(had.row, asked)), asked),
    )


def questions_for(surface: Surface, past: Purchases, future: Purchases, *, most: int, seed: int = 1) -> Questions:
    """The questions of one surface, about products that `past` knows."""
    known = future.baskets.of_items(past.baskets.item_counts() > 0)
    makers: dict[Surface, Callable[[], Questions]] = {
        Surface.BASKET: lambda: ask(known, most=most, seed=seed),
        Surface.PRODUCT: lambda: ask(known, least=2, most=most, most_shown=1, seed=seed),
        Surface.MAIL: lambda: ask_customers(past, future, again=False, most=most, seed=seed),
        Surface.REPLENISHMENT: lambda: ask_customers(past, future, again=True, most=most, seed=seed),
    }
    return makers[surface]()


def _histories(past: Purchases) -> tuple[Pairs, Floats, Int64s]:
    """What each customer (rows are profiles here) had bought, in how many orders, and when last."""
    customer = past.customer[past.baskets.rows]
    width = max(len(past.baskets.skus), 1)
    named = customer >= 0
    key = customer[named] * width + past.baskets.items[named]
    distinct, entry, count = np.unique(key, return_inverse=True, return_counts=True)
    last = np.zeros(len(distinct), dtype=np.int64)
    np.maximum.at(last, entry, past.baskets.placed_at[past.baskets.rows][named])
    row, item = np.divmod(distinct, width)
    return Pairs(row, item), count.astype(np.float64), last


def _latest(had: Pairs, last: Int64s) -> Flags:
    """The ten entries of each row that were bought last."""
    order = np.lexsort((had.item, -last, had.row))
    starts = np.flatnonzero(np.diff(had.row[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return _flags(len(order), order[place < _LAST_BOUGHT])


def _ordered(pairs: Pairs) -> Pairs:
    order = np.lexsort((pairs.item, pairs.row))
    return Pairs(pairs.row[order], pairs.item[order])


def _renumbered(pairs: Pairs, rows: Int64s) -> Pairs:
    return Pairs(np.searchsorted(rows, pairs.row), pairs.item)


def _flags(count: int, places: Int64s) -> Flags:
    chosen = np.zeros(count, dtype=bool)
    chosen[places] = True
    return chosen
