"""The products that may be offered now: there, not hidden, and as the offer asks for.

Reads what it is asked about and no more: a catalogue may have many more products than a mail has places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches
from customers.tables import product
from segments.language.matcher import match_where
from segments.language.rules import Where

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Product:
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
        self._known: dict[str, Product] = {}
        self._missing: set[str] = set()
        self._rest: list[str] | None = None

    def load(self, skus: Iterable[str]) -> None:
        """Have these at hand, in one query a batch."""
        wanted = [sku for sku in dict.fromkeys(skus) if sku not in self._known and sku not in self._missing]
        for some in batches(wanted, _BATCH):
            for row in self._connection.execute(select(product).where(product.c.sku.in_(some))):
                self._known[row.sku] = self._product(row)
        self._missing.update(sku for sku in wanted if sku not in self._known)

    def find(self, sku: str) -> Product | None:
        if sku not in self._known:
            self.load([sku])
        return self._known.get(sku)

    def is_for_sale(self, sku: str) -> bool:
        found = self.find(sku)
        return found is not None and found.is_for_sale

    def everything_for_sale(self) -> list[str]:
        """The whole catalogue by sku: the last resort of an offer that would otherwise stay empty."""
        if self._rest is None:
            rows = self._connection.execute(
                select(product).where(product.c.is_hidden.is_(False)).order_by(product.c.sku)
            )
            self._known.update((row.sku, self._product(row)) for row in rows)
            self._rest = sorted(sku for sku, known in self._known.items() if known.is_for_sale)
        return self._rest

    def _product(self, row: Any) -> Product:
        in_stock = row.stock is None or row.stock > 0
        return Product(
            row.sku,
            row.name,
            row.category,
            row.price,
            row.currency,
            row.url,
            row.image_url,
            row.is_replenishable,
            in_stock and not row.is_hidden and self._fits(row),
        )

    def _fits(self, row: Any) -> bool:
        if self._where is None:
            return True
        own = {
            "sku": row.sku,
            "name": row.name,
            "category": row.category,
            "price": row.price,
            "currency": row.currency,
            "stock": row.stock,
        }
        return match_where(self._where, {**row.attributes, **own}, now=self._now)
