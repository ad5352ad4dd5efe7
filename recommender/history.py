"""What each profile bought, looked at and has in the cart: the products that an offer starts from or leaves out.

Reads for many profiles at once, in a few queries a batch. Purchases stay columns; a profile's own history is made of
them when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, bindparam, select, type_coerce

from core.bulk import among
from core.clock import to_micros
from customers.tables import LineKind, OrderKind, customer_event, customer_order, order_line
from recommender.bought import Bought, bought_nothing, read_bought

BOUGHT_LATELY = timedelta(days=30)  # not offered again so soon, unless it runs out
_LOOKED_AT_LATELY = timedelta(days=14)

_VIEWED = ("product_viewed",)
_IN_CART = ("product_added", "cart_updated", "cart_viewed", "checkout_started")
_OUT_OF_CART = ("product_removed", "cart_emptied")
_SKU_KEYS = ("sku", "product_id")
_LIST_KEYS = ("items", "products", "skus")


@dataclass(slots=True)
class History:
    """Skus of one profile. `bought` gives the microsecond of the last purchase; `viewed` and `cart` begin with the
    latest.
    """

    bought: dict[str, int] = field(default_factory=dict)
    viewed: list[str] = field(default_factory=list)
    cart: list[str] = field(default_factory=list)

    def last_bought(self, count: int) -> list[str]:
        latest = sorted(zip(self.bought.values(), self.bought, strict=True), reverse=True)
        return [sku for _, sku in latest[:count]]

    def bought_since(self, instant: datetime) -> list[str]:
        since = to_micros(instant)
        return [sku for sku, at in self.bought.items() if at >= since]


class Histories(Mapping[int, History]):
    """The histories of the profiles `ids`, whose purchases are `bought`; `browsed` are those who also looked at
    something or have a cart. `places` has the row of each.
    """

    def __init__(self, ids: Sequence[int], bought: Bought | None = None) -> None:
        self.ids = ids
        self.bought = bought or bought_nothing()
        self.browsed: dict[int, History] = {}
        self.places = {number: place for place, number in enumerate(ids)}
        self._starts = np.searchsorted(self.bought.row, np.arange(len(ids) + 1)).tolist()

    def __getitem__(self, profile_id: int) -> History:
        known = self.browsed.get(profile_id)
        if known is not None:
            return known
        place = self.places[profile_id]
        own = slice(self._starts[place], self._starts[place + 1])
        skus = map(self.bought.skus.__getitem__, self.bought.item[own].tolist())
        return History(dict(zip(skus, self.bought.at[own].tolist(), strict=True)))

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def browsing_of(self, profile_id: int) -> History:
        """A profile's history, kept, for adding to it."""
        return self.browsed.setdefault(profile_id, self[profile_id])


def load_histories(connection: Connection, profile_ids: Sequence[int], now: datetime) -> Histories:
    """The history of each of some thousand profiles as it stood at `now`; an unknown profile has an empty one."""
    ids = list(dict.fromkeys(profile_ids))
    histories = Histories(ids, read_bought(connection, ids, now))
    _add_browsing(connection, histories, now)
    return histories


def load_history(connection: Connection, profile_id: int, now: datetime) -> History:
    """The history of one profile, as `load_histories` has it, for a page that waits: its statements are made once."""
    history = History()
    bought = connection.execute(_BOUGHT_BY_ONE, {"number": profile_id, "now": now})
    for sku, at in bought.tuples():
        history.bought[sku] = max(at, history.bought.get(sku, 0))
    given = {"number": profile_id, "now": now, "lately": now - _LOOKED_AT_LATELY}
    for name, happened, properties in connection.execute(_BROWSED_BY_ONE, given).tuples():
        _add_event(history, name, happened, properties)
    return history


_BOUGHT_BY_ONE = (
    select(order_line.c.sku, type_coerce(customer_order.c.placed_at, BigInteger))
    .join(customer_order, order_line.c.order_id == customer_order.c.id)
    .where(
        customer_order.c.profile_id == bindparam("number"),
        customer_order.c.kind == OrderKind.ORDER,
        customer_order.c.placed_at < bindparam("now"),
        order_line.c.kind == LineKind.PRODUCT,
    )
)
_BROWSED_BY_ONE = (
    select(customer_event.c.name, type_coerce(customer_event.c.occurred_at, BigInteger), customer_event.c.properties)
    .where(
        customer_event.c.profile_id == bindparam("number"),
        customer_event.c.name.in_((*_VIEWED, *_IN_CART, *_OUT_OF_CART)),
        customer_event.c.occurred_at >= bindparam("lately"),
        customer_event.c.occurred_at < bindparam("now"),
    )
    .order_by(customer_event.c.occurred_at, customer_event.c.id)
)


def skus_in(properties: Mapping[str, Any]) -> Iterator[str]:
    """The products that an event names: `sku` or `product_id`, or lists of them (`items`, `products`, `skus`)."""
    for key in _SKU_KEYS:
        if properties.get(key) is not None:
            yield str(properties[key])
            return
    for key in _LIST_KEYS:
        listed = properties.get(key)
        if isinstance(listed, list):
            for entry in listed:
                if isinstance(entry, Mapping):
                    yield from skus_in(entry)
                elif isinstance(entry, str | int):
                    yield str(entry)


def _add_browsing(connection: Connection, histories: Histories, now: datetime) -> None:
    at = type_coerce(customer_event.c.occurred_at, BigInteger)
    query = (
        select(customer_event.c.profile_id, customer_event.c.name, at, customer_event.c.properties)
        .where(
            among(connection, customer_event.c.profile_id, histories.ids),
            customer_event.c.name.in_((*_VIEWED, *_IN_CART, *_OUT_OF_CART)),
            customer_event.c.occurred_at >= now - _LOOKED_AT_LATELY,
            customer_event.c.occurred_at < now,
        )
        .order_by(customer_event.c.profile_id, customer_event.c.occurred_at, customer_event.c.id)
    )
    for number, name, happened, properties in connection.execute(query).tuples().all():
        _add_event(histories.browsing_of(number), name, happened, properties)


def _add_event(history: History, name: str, happened: int, properties: Mapping[str, Any]) -> None:
    skus = list(skus_in(properties))
    if name in _VIEWED:
        _put_first(history.viewed, skus)
    elif name == "cart_emptied":
        history.cart.clear()
    elif name in _OUT_OF_CART:
        history.cart[:] = [sku for sku in history.cart if sku not in skus]
    else:
        # What was bought after it was put there has left the cart.
        _put_first(history.cart, [sku for sku in skus if history.bought.get(sku, 0) < happened])


def _put_first(listed: list[str], skus: Iterable[str]) -> None:
    for sku in skus:
        if sku in listed:
            listed.remove(sku)
        listed.insert(0, sku)
