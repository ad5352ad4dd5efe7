"""What people did on the site, in the words of Segment's event specification: pages, products seen, carts, sign-ups.

Visits that lead to an order show its products; the rest are people, known or not, who look round. Orders themselves
are in `orders.csv` only. Money in properties is in pounds, as that specification has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from examples.shop.baskets import Lines
from examples.shop.calendar_shape import DAY, WINDOW_DAYS, Seasons, at_local_hours
from examples.shop.catalogue import Product
from examples.shop.people import Person
from examples.shop.rhythms import Orders

Event = dict[str, object]

_ORDER_EVENT_SHARE = 0.62  # at most this share of all events belongs to visits that end in an order
_PAGES = (
    "/",
    "/new",
    "/tea",
    "/garden",
    "/home",
    "/gifts",
    "/journal/pruning-roses",
    "/journal/brewing-gyokuro",
    "/sale",
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit: `who` gives the identifiers of the events, `learnt` those from the moment the person logs in."""

    at: int
    who: dict[str, str]
    learnt: dict[str, str]
    seen: list[int]
    bought: list[int]


def visitor_id(index: int) -> str:
    """The first-party cookie of one person's browser."""
    return f"anon-{(index + 1) * 2654435761 % 2**32:08x}"


def browse(
    seed: int, persons: list[Person], orders: Orders, lines: Lines, products: list[Product], ends: dict[str, datetime],
    seasons: Seasons, count: int,
) -> list[Event]:  # fmt: skip
    """Exactly `count` events by time. `ends` gives the last day on which a churner still came."""
    rng = np.random.default_rng((seed, 6))
    events = _sign_ups(persons, seasons)[:count]
    events = _filled(events, _buying_visits(rng, orders, lines, products), products, int(count * _ORDER_EVENT_SHARE))
    events = _filled(events, _idle_visits(rng, persons, len(products), ends, seasons, count), products, count)
    events.sort(key=lambda item: item[0])
    return [
        {
            "type": event.pop("type"),
            "messageId": f"fk-{seed}-{number:07d}",
            **event,
            "timestamp": _instant(at),
        }
        for number, (at, event) in enumerate(events, start=1)
    ]


def _filled(
    events: list[tuple[int, Event]], visits: Iterator[Visit], products: list[Product], upto: int
) -> list[tuple[int, Event]]:
    for visit in visits:
        if len(events) >= upto:
            break
        events += _told(visit, products)
    return events[: max(upto, 0)]


def _sign_ups(persons: list[Person], seasons: Seasons) -> list[tuple[int, Event]]:
    return [
        (
            int(person.signed_up_at.timestamp()),
            {"type": "track", "userId": person.external_id, "anonymousId": visitor_id(index), "event": "Signed Up",
             "properties": {"source": "web", "country": person.country}},
        )
        for index, person in enumerate(persons)
        if person.signed_up_at >= seasons.start
    ]  # fmt: skip


def _buying_visits(rng: np.random.Generator, orders: Orders, lines: Lines, products: list[Product]) -> Iterator[Visit]:
    """Visits shortly before an order, in random order, so that any number of them is a fair sample."""
    bounds = np.searchsorted(lines.order, np.arange(len(orders) + 1))
    kind = rng.random(len(orders))
    for index in rng.permutation(len(orders)).tolist():
        bought = lines.product[bounds[index] : bounds[index + 1]].tolist()
        looked = rng.integers(0, len(products), int(rng.integers(0, 3))).tolist()
        customer = int(orders.customer[index])
        at = int(orders.placed_at[index]) - 120 - int(rng.integers(0, 600))
        if customer < 0:
            who = learnt = {"anonymousId": f"guest-{index:06d}"}
        else:
            learnt = {"userId": f"fk-{customer + 1:05d}", "anonymousId": visitor_id(customer)}
            who = learnt if kind[index] < 0.7 else {"anonymousId": visitor_id(customer)}
        yield Visit(at, who, learnt, bought + looked, bought)


def _idle_visits(
    rng: np.random.Generator,
    persons: list[Person],
    shelf: int,
    ends: dict[str, datetime],
    seasons: Seasons,
    count: int,
) -> Iterator[Visit]:
    """Visits without an order: more of them lately, by keener people, a quarter by strangers."""
    number = count // 2 + 8
    keen = rng.pareto(1.6, len(persons)) + 0.2
    chosen = rng.choice(len(persons), size=number, p=keen / keen.sum())
    first = np.array([max((p.signed_up_at - seasons.start).total_seconds() / DAY, 0.0) for p in persons])
    last = np.full(len(persons), float(WINDOW_DAYS))
    for index, person in enumerate(persons):
        if person.external_id in ends:
            last[index] = (ends[person.external_id] - seasons.start).total_seconds() / DAY
    days = first[chosen] + (last - first)[chosen] * rng.random(number) ** 0.7
    at = at_local_hours(rng, seasons, days, [persons[i].timezone or "Europe/London" for i in chosen])
    signed_up = np.array([int(person.signed_up_at.timestamp()) for person in persons])
    at = np.maximum(at, signed_up[chosen] + 60)
    kind = rng.random(number)
    for place in range(number):
        index = int(chosen[place])
        seen = rng.integers(0, shelf, 1 + int(rng.integers(0, 4))).tolist()
        cart = seen[:1] if kind[place] > 0.88 else []
        if kind[place] < 0.25:
            who = {"anonymousId": f"stranger-{place:06d}"}
        elif kind[place] < 0.35:
            who = {"anonymousId": visitor_id(index)}
        else:
            who = {"userId": persons[index].external_id, "anonymousId": visitor_id(index)}
        yield Visit(int(at[place]), who, who, seen, cart)


def _told(visit: Visit, products: list[Product]) -> Iterator[tuple[int, Event]]:
    """The events of one visit, some seconds apart."""
    at, who = visit.at, visit.who
    yield at, {"type": "page", **who, "name": "Shop", "properties": {"path": _PAGES[at % len(_PAGES)]}}
    for place in visit.seen:
        at += 20
        yield at, {"type": "track", **who, "event": "Product Viewed", "properties": _shown(products[place])}
    if visit.learnt != who:
        at, who = at + 5, visit.learnt
        yield at, {"type": "identify", **who, "traits": {}}
    if not visit.bought:
        return
    total = 0
    for place in visit.bought:
        at, total = at + 8, total + products[place].price
        yield (
            at,
            {
                "type": "track",
                **who,
                "event": "Product Added",
                "properties": {"quantity": 1, **_shown(products[place])},
            },
        )
    cart = {
        "cart_id": f"cart-{visit.at:x}",
        "value": total / 100,
        "currency": "GBP",
        "items": len(visit.bought),
    }
    yield at + 1, {"type": "track", **who, "event": "Cart Updated", "properties": cart}


def _shown(product: Product) -> Event:
    return {
        "product_id": product.sku,
        "category": product.category,
        "price": product.price / 100,
        "currency": "GBP",
    }


@lru_cache(maxsize=4096)
def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
