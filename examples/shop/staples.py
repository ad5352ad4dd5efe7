"""What people use up and buy again: for each of a few teas and jams, some regular customers who never run out for long.

Beside favourites, which come back at any time, a staple joins the first order after the last tin is empty. What was
planted is counted over the finished lines, so that what is learnt about replenishment can be held against it.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from examples.shop.baskets import Lines
from examples.shop.calendar_shape import DAY, Floats, Ints
from examples.shop.catalogue import STAPLES, Product
from examples.shop.rhythms import Orders
from examples.shop.truth import Staple

_LEAST_ORDERS = 4
_OFTEN = 0.6  # whose orders come at least so often, in lifetimes of the product, can buy it in time
_SHARE = 0.3  # of those, so many use it
_SPREAD = 0.15


def with_staples(seed: int, orders: Orders, products: list[Product], lines: Lines) -> Lines:
    """The same lines and those of the staples, by order and product; one piece each, at the full price."""
    rng = np.random.default_rng((seed, 9))
    position = {product.name: place for place, product in enumerate(products)}
    owned = _orders_by_customer(orders)
    held = lines.order * len(products) + lines.product
    added: list[int] = []
    for name, days in STAPLES.items():
        for own in owned.values():
            at = orders.placed_at[own] / DAY
            if len(own) < _LEAST_ORDERS or (at[-1] - at[0]) / (len(own) - 1) > _OFTEN * days:
                continue
            lasts = days * rng.lognormal(0, _SPREAD)
            if rng.random() < _SHARE:
                added += [int(own[place]) * len(products) + position[name] for place in _when_empty(at, lasts)]
    fresh = np.setdiff1d(np.array(added, dtype=np.int64), held)
    order, product = np.divmod(fresh, len(products))
    prices = np.array([one.price for one in products], dtype=np.int64)
    joined = Lines(
        np.concatenate([lines.order, order]),
        np.concatenate([lines.product, product]),
        np.concatenate([lines.quantity, np.ones(len(fresh), dtype=np.int64)]),
        np.concatenate([lines.unit_price, prices[product]]),
    )
    rising = np.lexsort((joined.product, joined.order))
    return Lines(joined.order[rising], joined.product[rising], joined.quantity[rising], joined.unit_price[rising])


def measured_staples(orders: Orders, lines: Lines, products: list[Product]) -> list[Staple]:
    """How often each staple was bought again by the same person, and after how long."""
    position = {product.name: place for place, product in enumerate(products)}
    found = []
    for name, days in STAPLES.items():
        own = lines.order[lines.product == position[name]]
        own = own[orders.customer[own] >= 0]
        customer, at = orders.customer[own], orders.placed_at[own]
        rising = np.lexsort((at, customer))
        gap = np.diff(at[rising]) / DAY
        again = gap[(np.diff(customer[rising]) == 0) & (gap >= 1)]
        median = round(float(np.median(again)), 1) if len(again) else None
        found.append(Staple(products[position[name]].sku, days, len(again), median))
    return found


def _orders_by_customer(orders: Orders) -> dict[int, Ints]:
    """The orders of each known customer by time."""
    own: dict[int, list[int]] = defaultdict(list)
    for order, customer in enumerate(orders.customer.tolist()):
        if customer >= 0:
            own[customer].append(order)
    return {customer: np.array(some, dtype=np.int64) for customer, some in sorted(own.items())}


def _when_empty(at: Floats, lasts: float) -> list[int]:
    """The places of the orders, by time, that buy something which lasts so many days."""
    places = [0]
    for place in range(1, len(at)):
        if at[place] - at[places[-1]] >= lasts:
            places.append(place)
    return places
