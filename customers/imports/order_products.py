"""Products that the catalogue does not know, as their order lines tell of them: the latest name and price.

A product that came from a catalogue is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from customers.imports.bulk import insert_rows
from customers.imports.order_lines import Sold
from customers.money import round_minor
from customers.tables import product

_MARK = {"known_from": "orders"}
_REMEMBERED = 200_000
_COLUMNS = ("sku", "name", "price", "currency", "is_hidden", "is_replenishable", "attributes", "updated_at")
_WHERE_NEWER = (
    "(sku) DO UPDATE SET name = excluded.name, price = excluded.price, currency = excluded.currency, "
    "updated_at = excluded.updated_at "
    "WHERE product.attributes = excluded.attributes AND product.updated_at <= excluded.updated_at"
)


class OrderProducts:
    """Writes what is news since the last batch; remembers what it wrote."""

    def __init__(self) -> None:
        self._written: dict[str, Sold] = {}

    def write(self, connection: Connection, sold: Mapping[str, Sold]) -> None:
        if len(self._written) > _REMEMBERED:
            self._written.clear()
        fresh = {sku: what for sku, what in sold.items() if self._is_news(sku, what)}
        encode = product.c.attributes.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        mark = encode(_MARK) if encode else _MARK
        rows = [_row(sku, what, mark) for sku, what in sorted(fresh.items())]
        insert_rows(connection, product, _COLUMNS, rows, on_conflict=_WHERE_NEWER)
        self._written.update(fresh)

    def _is_news(self, sku: str, what: Sold) -> bool:
        before = self._written.get(sku)
        return before is None or what[0] >= before[0]


def _row(sku: str, what: Sold, mark: Any) -> tuple[Any, ...]:
    placed_at, name, price, currency = what
    minor = None if price is None else round_minor(Decimal(price))
    return sku, name or sku, minor, currency if price is not None else None, False, False, mark, placed_at
