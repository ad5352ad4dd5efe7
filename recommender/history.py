"""What each profile bought, looked at and has in the cart: the products that an offer starts from or leaves out.

Reads for many profiles at once, in a few queries a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.bulk import among
from core.clock import to_micros
from core.database import batches
from customers.tables import LineKind, OrderKind, customer_event, customer_order, order_line

BOUGHT_LATELY = timedelta(days=30)  # not offered again so soon, unless it runs out
_LOOKED_AT_LATELY = timedelta(days=14)
_BATCH = 5_000
_ROWS_AT_ONCE = 500  # a hundred thousand rows at hand would cost more in collecting garbage than in reading

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


def load_histories(connection: Connection, profile_ids: Sequence[int], now: datetime) -> dict[int, History]:
    """The history of every given profile as it stood at `now`; an unknown profile has an empty one."""
    histories = {number: History() for number in profile_ids}
    for some in batches(list(histories), _BATCH):
        _add_purchases(connection, some, now, histories)
        _add_browsing(connection, some, now, histories)
    return histories


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


def _add_purchases(
    connection: Connection, profile_ids: Sequence[int], now: datetime, histories: Mapping[int, History]
) -> None:
    placed_at = type_coerce(customer_order.c.placed_at, BigInteger)
    query = (
        select(customer_order.c.profile_id, order_line.c.sku, placed_at)
        .join(order_line, order_line.c.order_id == customer_order.c.id)
        .where(
            among(connection, customer_order.c.profile_id, profile_ids),
            customer_order.c.kind == OrderKind.ORDER,
            customer_order.c.placed_at < now,
            order_line.c.kind == LineKind.PRODUCT,
        )
    )
    for some in connection.execute(query).tuples().partitions(_ROWS_AT_ONCE):
        for number, sku, at in some:
            bought = histories[number].bought
            if bought.get(sku, 0) < at:
                bought[sku] = at


def _add_browsing(
    connection: Connection, profile_ids: Sequence[int], now: datetime, histories: Mapping[int, History]
) -> None:
    at = type_coerce(customer_event.c.occurred_at, BigInteger)
    query = (
        select(customer_event.c.profile_id, customer_event.c.name, at, customer_event.c.properties)
        .where(
            among(connection, customer_event.c.profile_id, profile_ids),
            customer_event.c.name.in_((*_VIEWED, *_IN_CART, *_OUT_OF_CART)),
            customer_event.c.occurred_at >= now - _LOOKED_AT_LATELY,
            customer_event.c.occurred_at < now,
        )
        .order_by(customer_event.c.profile_id, customer_event.c.occurred_at, customer_event.c.id)
    )
    for number, name, happened, properties in connection.execute(query).tuples():
        history = histories[number]
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
