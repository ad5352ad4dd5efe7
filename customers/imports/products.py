"""A catalogue becomes products: a row sets what it names and leaves the rest; later rows win."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches, upsert
from customers.imports import values
from customers.imports.changes import note_products
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.mapping import Column
from customers.imports.rows import Parser, Record, RowParser, text_parser
from customers.imports.sources import Batch
from customers.imports.values import Reason
from customers.money import to_minor
from customers.tables import product
from customers.touches import touch_everybody

_COMPARED = ("name", "category", "price", "currency", "stock", "url", "image_url", "is_hidden", "is_replenishable")


class ProductImporter(SimpleImporter):
    def __init__(self, job: Job) -> None:
        super().__init__(job)
        price, stock = (job.mapping.columns.get(name, Column(None)) for name in ("price", "stock"))
        parsers: dict[str, Parser | None] = {
            "sku": text_parser("wrong_sku", 100),
            "name": values.text,
            "category": text_parser("wrong_category", 100),
            "price": partial(values.number, reason="wrong_price", scale=price.scale),
            "currency": text_parser("unknown_currency", 3),
            "stock": partial(values.integer, reason="wrong_stock", scale=stock.scale),
            "url": values.text,
            "image_url": values.text,
            "is_hidden": values.truth,
            "is_replenishable": values.truth,
        }
        self._parser = RowParser(job, parsers)

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        records, refused = self._parser.records(batch)
        outcome = Outcome(refused=refused)
        rows = []
        for parsed in records:
            row = self._row(parsed.record)
            if isinstance(row, Reason):
                outcome.refused.append(parsed.refused(row))
            else:
                rows.append(row)
        self._store(connection, rows, outcome)
        return outcome

    def _row(self, record: Record) -> Record | Reason:
        if record["sku"] is None:
            return Reason("missing_sku")
        if record["name"] is None:
            return Reason("missing_name")
        price = record.get("price")
        if price is not None and price < 0:
            return Reason("negative_price")
        row = {name: record[name] for name in _COMPARED if record.get(name) is not None}
        if price is not None:
            row["currency"] = (row.get("currency") or self.job.currency).upper()
            row["price"] = to_minor(price, row["currency"])
        return {"sku": record["sku"], **row}

    def _store(self, connection: Connection, rows: list[Record], outcome: Outcome) -> None:
        stored = _find_products(connection, [row["sku"] for row in rows])
        changed: dict[str, Record] = {}
        first = dict(stored)
        for row in rows:
            before = stored.get(row["sku"], _BLANK)
            after = {**before, **row, "attributes": {}}
            if after == before:
                outcome.unchanged_count += 1
                continue
            outcome.imported_count += 1
            outcome.details["products" if row["sku"] not in stored else "products_changed"] += 1
            stored[row["sku"]] = changed[row["sku"]] = after
        ready = [{**row, "updated_at": self.job.now} for row in changed.values()]
        notes = {sku: (_noted(first.get(sku)), _noted(row) or {}) for sku, row in changed.items()}
        note_products(connection, self.job.batch_id, notes)
        upsert(connection, product, ready, key=["sku"], update=[*_COMPARED, "attributes", "updated_at"])
        if any(row["category"] != first.get(row["sku"], _BLANK)["category"] for row in ready):
            touch_everybody(connection)  # who bought from a category is another question now


def _noted(row: Record | None) -> Record | None:
    return None if row is None else {name: value for name, value in row.items() if name != "sku"}


_BLANK: Record = {
    **dict.fromkeys(_COMPARED),
    "is_hidden": False,
    "is_replenishable": False,
}


def _find_products(connection: Connection, skus: list[str]) -> dict[str, Record]:
    columns = [product.c[name] for name in ("sku", *_COMPARED, "attributes")]
    found: dict[str, Any] = {}
    for some in batches(sorted(set(skus)), 5_000):
        for row in connection.execute(select(*columns).where(product.c.sku.in_(some))).mappings():
            found[row["sku"]] = dict(row)
    return found
