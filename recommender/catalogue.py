"""The products that may be offered now: there, not hidden, and as the offer asks for.

Reads what it is asked about and no more: a catalogue may have many more products than a mail has places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from core.bulk import among
from core.clock import from_micros
from core.database import batches
from customers.tables import product
from segments.language.matcher import match_where
from segments.language.rules import Where

_BATCH = 5_000
_ROWS_AT_ONCE = 500
_COLUMNS = (
    product.c.sku,
    product.c.name,
    product.c.category,
    product.c.price,
    product.c.currency,
    product.c.url,
    product.c.image_url,
    product.c.stock,
    product.c.is_hidden,
    product.c.is_replenishable,
)


class Product(Struct, frozen=True, gc=False):  # read by the thousand for a batch of mails
    """What an offer shows of a product. `price` is in minor units; `is_for_sale` also heeds the offer's own `where`."""

    sku: str
    name: str
    category: str | None
    price: int | None
    currency: str | None
    url: str | None
    image_url: str | None
    is_replenishable: bool
    is_for_sale: bool


class Catalogue:
    """Looks products up once each, for as long as one batch of decisions takes. `where` is judged at `now`."""

    def __init__(self, connection: Connection, where: Where | None = None, now: datetime | None = None) -> None:
        self._connection = connection
        self._where = where
        self._now = now
        self._columns = _COLUMNS if where is None else (*_COLUMNS, product.c.attributes)
        self._known: dict[str, Product] = {}
        self._missing: set[str] = set()
        self._rest: list[str] | None = None

    def load(self, skus: Iterable[str]) -> None:
        """Have these at hand, in one query a batch."""
        wanted = [sku for sku in dict.fromkeys(skus) if sku not in self._known and sku not in self._missing]
        for some in batches(wanted, _BATCH):
            query = select(*self._columns).where(among(self._connection, product.c.sku, some))
            self._known |= {row[0]: self._product(row) for row in self._connection.execute(query).all()}
        self._missing.update(sku for sku in wanted if sku not in self._known)

    def find(self, sku: str) -> Product | None:
        found = self._known.get(sku)
        if found is None and sku not in self._missing:
            self.load([sku])
            found = self._known.get(sku)
        return found

    def is_for_sale(self, sku: str) -> bool:
        found = self.find(sku)
        return found is not None and found.is_for_sale

    def everything_for_sale(self) -> list[str]:
        """The whole catalogue by sku: the last resort of an offer that would otherwise stay empty."""
        if self._rest is None:
            rows = self._connection.execute(
                select(*self._columns).where(product.c.is_hidden.is_(False)).order_by(product.c.sku)
            )
            self._known |= {row[0]: self._product(row) for row in rows}
            self._rest = sorted(sku for sku, known in self._known.items() if known.is_for_sale)
        return self._rest

    def changed_since(self, instant: int) -> Iterator[Product]:
        """Everything that was changed at a microsecond or after it, hidden and sold out included."""
        query = select(*self._columns).where(product.c.updated_at >= from_micros(instant))
        for some in self._connection.execute(query).partitions(_ROWS_AT_ONCE):
            yield from map(self._product, some)

    def _product(self, row: Any) -> Product:
        sku, name, category, price, currency, url, image_url, stock, is_hidden, is_replenishable, *rest = row
        is_for_sale = (stock is None or stock > 0) and not is_hidden
        if is_for_sale and self._where is not None:
            own = {
                "sku": sku,
                "name": name,
                "category": category,
                "price": price,
                "currency": currency,
                "stock": stock,
            }
            is_for_sale = match_where(self._where, {**rest[0], **own}, now=self._now)
        return Product(sku, name, category, price, currency, url, image_url, is_replenishable, is_for_sale)
