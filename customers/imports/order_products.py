"""Products that the catalogue does not know, as their order lines tell of them: the latest name and price.

A product that came from a catalogue is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from core.bulk import among, insert_rows
from core.database import batches
from customers.imports.changes import note_products
from customers.imports.job import Job
from customers.imports.order_lines import Sold
from customers.money import round_minor
from customers.tables import product

_MARK = {"known_from": "orders"}
_REMEMBERED = 200_000
_LOOKUP_BATCH = 5_000
_COLUMNS = ("sku", "name", "price", "currency", "is_hidden", "is_replenishable", "attributes", "updated_at")
_WHERE_NEWER = (
    "(sku) DO UPDATE SET name = excluded.name, price = excluded.price, currency = excluded.currency, "
    "updated_at = excluded.updated_at "
    "WHERE product.attributes = excluded.attributes AND product.updated_at <= excluded.updated_at"
)


class OrderProducts:
    """Writes what is news since the last batch; remembers what it wrote.

    Only what an import makes is noted for its undoing: the name and price of what others sold too stay the latest.
    """

    def __init__(self, job: Job) -> None:
        self._batch_id = job.batch_id
        self._written: dict[str, Sold] = {}

    def write(self, connection: Connection, sold: Mapping[str, Sold]) -> None:
        if len(self._written) > _REMEMBERED:
            self._written.clear()
        fresh = {sku: what for sku, what in sold.items() if self._is_news(sku, what)}
        self._note_made(connection, [sku for sku in fresh if sku not in self._written])
        encode = product.c.attributes.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        mark = encode(_MARK) if encode else _MARK
        rows = [_row(sku, what, mark) for sku, what in sorted(fresh.items())]
        insert_rows(connection, product, _COLUMNS, rows, on_conflict=_WHERE_NEWER)
        self._written.update(fresh)

    def _note_made(self, connection: Connection, skus: Sequence[str]) -> None:
        there: set[str] = set()
        for some in batches(skus, _LOOKUP_BATCH):
            query = select(product.c.sku).where(among(connection, product.c.sku, some))
            there.update(connection.execute(query).scalars())
        notes = {sku: (None, {"attributes": _MARK}) for sku in skus if sku not in there}
        note_products(connection, self._batch_id, notes)

    def _is_news(self, sku: str, what: Sold) -> bool:
        before = self._written.get(sku)
        return before is None or what[0] >= before[0]


def _row(sku: str, what: Sold, mark: Any) -> tuple[Any, ...]:
    placed_at, name, price, currency = what
    minor = None if price is None else round_minor(Decimal(price))
    return sku, name or sku, minor, currency if price is not None else None, False, False, mark, placed_at
