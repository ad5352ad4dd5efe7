"""What lies in each basket: a customer's favourite shelves, the season, old favourites again, and planted pairs.

The pairs of the catalogue are the only places where two products attract each other beyond taste, so the rules that a
miner finds can be held against them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.shop.calendar_shape import DAY, Ints, Seasons
from examples.shop.catalogue import CATEGORIES, Product
from examples.shop.rhythms import Orders
from examples.shop.truth import PlantedRule

LINES_PER_ORDER = 3.15  # an order's average, staples included; sets how many orders are drawn for a number of lines
_PER_CATEGORY = 36
_FAVOURITE_SHARE = 0.18
# category prefix -> months in which it sells twice as well
_SEASON = {"SEE": (2, 3, 4, 5), "BUL": (9, 10, 11), "TOO": (3, 4, 5, 6), "PLA": (4, 5, 6, 7), "CAN": (10, 11, 12, 1),
           "LAN": (11, 12, 6, 7), "TEA": (10, 11, 12, 1, 2), "LIN": (11, 12), "BOO": (11, 12)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lines:
    """One row an order line, by order: positions of order and product, pieces, and pence a piece."""

    order: Ints
    product: Ints
    quantity: Ints
    unit_price: Ints


def fill(
    seed: int,
    orders: Orders,
    persons: int,
    products: list[Product],
    pairs: list[tuple[int, int, float]],
    seasons: Seasons,
) -> Lines:
    """The lines of all orders; within an order each product stands on one line."""
    rng = np.random.default_rng((seed, 4))
    sizes = 1 + rng.negative_binomial(1.6, 0.42, len(orders))
    order = np.repeat(np.arange(len(orders)), sizes)
    customer = orders.customer[order]
    shelf = _shelves(rng, customer, _months(orders, seasons)[order], persons)
    product = _with_favourites(rng, customer, _from_shelf(rng, shelf, pairs), persons)
    key = np.unique(order * len(products) + product)
    added = []
    for antecedent, consequent, chance in pairs:
        holders = key[key % len(products) == antecedent] // len(products)
        joined = holders[rng.random(len(holders)) < chance]
        added.append(joined * len(products) + consequent)
    key = np.unique(np.concatenate([key, *added]))
    order, product = key // len(products), key % len(products)
    small = np.array([item.price < 1000 for item in products])
    quantity = 1 + rng.binomial(1, np.where(small[product], 0.35, 0.08)) * rng.geometric(0.6, len(key))
    list_price = np.array([item.price for item in products], dtype=np.int64)
    discount = rng.choice([100, 90, 80], size=len(key), p=[0.9, 0.07, 0.03])
    return Lines(order, product, quantity.astype(np.int64), list_price[product] * discount // 100)


def _months(orders: Orders, seasons: Seasons) -> Ints:
    day = (orders.placed_at - int(seasons.start.timestamp())) // DAY
    return seasons.months[np.clip(day, 0, len(seasons.months) - 1)]


def _shelves(rng: np.random.Generator, customer: Ints, month: Ints, persons: int) -> Ints:
    """A category for each pick, by the customer's taste and the season; guests, whose customer is -1, have none."""
    taste = rng.dirichlet(np.full(len(CATEGORIES), 0.45), persons + 1)
    taste[-1] = 1 / len(CATEGORIES)
    by_month = np.array([[2.0 if m in _SEASON.get(c.prefix, ()) else 1.0 for c in CATEGORIES] for m in range(13)])
    cumulative = np.cumsum(taste[customer] * by_month[month], axis=1)
    draw = rng.random(len(customer)) * cumulative[:, -1]
    shelf: Ints = (cumulative < draw[:, None]).sum(axis=1)
    return shelf


def _from_shelf(rng: np.random.Generator, shelf: Ints, pairs: list[tuple[int, int, float]]) -> Ints:
    """A product for each pick, by popularity within its category."""
    ranks = np.tile(np.arange(_PER_CATEGORY, dtype=float), (len(CATEGORIES), 1))
    popularity = 1 / (2.5 + rng.permuted(ranks, axis=1))
    for antecedent, _, _ in pairs:  # an antecedent must sell often enough for its rule to be seen
        popularity[antecedent // _PER_CATEGORY, antecedent % _PER_CATEGORY] = 0.3
    cumulative = np.cumsum(popularity, axis=1)
    draw = rng.random(len(shelf)) * cumulative[shelf, -1]
    product: Ints = shelf * _PER_CATEGORY + (cumulative[shelf] < draw[:, None]).sum(axis=1)
    return product


def _with_favourites(rng: np.random.Generator, customer: Ints, product: Ints, persons: int) -> Ints:
    """Some picks become one of the first three things that this customer ever took."""
    by_customer = np.argsort(customer, kind="stable")
    starts = np.searchsorted(customer[by_customer], np.arange(persons))
    again = (customer >= 0) & (rng.random(len(customer)) < _FAVOURITE_SHARE)
    place = starts[customer[again]] + rng.integers(0, 3, int(again.sum()))
    earlier = by_customer[np.minimum(place, len(by_customer) - 1)]
    is_own = customer[earlier] == customer[again]
    result = product.copy()
    result[again] = np.where(is_own, product[earlier], product[again])
    return result


def measured_rules(
    lines: Lines, basket_count: int, products: list[Product], pairs: list[tuple[int, int, float]]
) -> list[PlantedRule]:
    """Support, confidence and lift of the planted pairs, counted over all baskets."""
    rules = []
    for antecedent, consequent, chance in pairs:
        having, also = (lines.order[lines.product == item] for item in (antecedent, consequent))
        both = len(np.intersect1d(having, also))
        confidence = both / max(len(having), 1)
        lift = confidence / max(len(also) / basket_count, 1e-12)
        rules.append(
            PlantedRule(
                products[antecedent].sku,
                products[consequent].sku,
                chance,
                both,
                round(both / basket_count, 6),
                round(confidence, 6),
                round(lift, 4),
            )
        )
    return rules
