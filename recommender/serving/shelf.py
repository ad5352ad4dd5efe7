"""The catalogue in a process's memory, so that an answer asks no database about its products.

A shelf never changes: what was changed in the catalogue makes a new one. Of a very large catalogue it holds what the
rules know, and says that it is not the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, func, select, type_coerce

from core.clock import from_micros
from customers.tables import product
from recommender.catalogue import Catalogue, Product
from segments.language.rules import Where

MOST_PRODUCTS = 100_000  # some 50 MB

Revision = tuple[int, int]
"""The microsecond of the latest change of a product, and how many were changed in it; (0, 0) without any product."""


class Shelf(Catalogue):
    """Products by sku. `is_whole` is False where the catalogue has others too."""

    def __init__(self, products: Mapping[str, Product], *, is_whole: bool) -> None:
        self._products = products
        self._ordered: list[str] | None = None
        self.is_whole = is_whole

    def load(self, skus: Iterable[str]) -> None:
        """Everything is at hand that ever will be."""

    def find(self, sku: str) -> Product | None:
        return self._products.get(sku)

    def everything_for_sale(self) -> list[str]:
        if self._ordered is None:
            self._ordered = sorted(sku for sku, found in self._products.items() if found.is_for_sale)
        return self._ordered

    def changed(self, products: Iterable[Product]) -> Shelf:
        """A shelf with these put on it, or in the place of what has their sku."""
        return Shelf({**self._products, **{found.sku: found for found in products}}, is_whole=self.is_whole)

    def narrowed(self, connection: Connection, where: Where, now: datetime) -> Shelf:
        """The same products, of which only those are for sale that an offer asks for, by what they are at `now`."""
        judged = Catalogue(connection, where, now)
        fitting = set(judged.everything_for_sale())
        return Shelf(
            {
                sku: found if sku in fitting or not found.is_for_sale else replace(found, is_for_sale=False)
                for sku, found in self._products.items()
            },
            is_whole=self.is_whole,
        )


def catalogue_revision(connection: Connection) -> Revision:
    """Tells whether any product was changed; removals do not show."""
    updated_at = type_coerce(product.c.updated_at, BigInteger)
    latest = connection.execute(select(func.max(updated_at))).scalar()
    if latest is None:
        return 0, 0
    count = select(func.count()).select_from(product).where(product.c.updated_at == from_micros(latest))
    return latest, connection.execute(count).scalar_one()


def fill_shelf(connection: Connection, skus: Iterable[str], most: int = MOST_PRODUCTS) -> Shelf:
    """The whole catalogue where it has at most `most` products, else these `skus` of it."""
    count = connection.execute(select(func.count()).select_from(product)).scalar_one()
    catalogue = Catalogue(connection)
    if count <= most:
        return Shelf({found.sku: found for found in catalogue.changed_since(0)}, is_whole=True)
    wanted = list(skus)
    catalogue.load(wanted)
    return Shelf(
        {sku: found for sku in wanted if (found := catalogue.find(sku)) is not None},
        is_whole=False,
    )


def refill(connection: Connection, shelf: Shelf, since: Revision) -> Shelf:
    """The shelf with what was changed since a revision."""
    fresh = Catalogue(connection).changed_since(since[0])
    return shelf.changed(found for found in fresh if shelf.is_whole or shelf.find(found.sku) is not None)
