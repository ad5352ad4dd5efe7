"""Files of goods that came back become returns: orders with negative totals, told apart from sales by their kind.

A return that names no customer is that of the order it came from, where that order is known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from core.database import batches
from customers.imports import values
from customers.imports.job import Job, Outcome
from customers.imports.mapping import Mapping, Returns
from customers.imports.order_lines import RETURN_SUFFIX
from customers.imports.orders import OrderImporter
from customers.imports.sources import Batch
from customers.imports.values import RefusedError
from customers.tables import OrderKind, customer_order
from customers.touches import TouchKind, touch

_LOOKUP_BATCH = 5_000


def as_orders(mapping: Mapping) -> Mapping:
    """The same file as order lines that are all returns; its key is the return's own number, or else the order's."""
    columns = {name: column for name, column in mapping.columns.items() if name not in ("return_id", "order_id")}
    columns["order_id"] = mapping.columns.get("return_id") or mapping.columns["order_id"]
    # Every cell begins with nothing; another column than the number's keeps returns and orders apart.
    number = columns["order_id"].column
    marker = next((name for name in mapping.column_names() if name != number), "")
    return replace(mapping, columns=columns, returns=Returns(marker, ""))


class ReturnImporter(OrderImporter):
    def __init__(self, job: Job) -> None:
        super().__init__(replace(job, mapping=as_orders(job.mapping)))
        columns = job.mapping.columns
        order, number = columns.get("order_id"), columns.get("return_id")
        self._source = job.mapping.source
        self._places = (
            (job.columns.index(number.column), job.columns.index(order.column))
            if number and order and number.column and order.column
            else None
        )

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        outcome = super().import_batch(connection, batch)
        if self._places is not None:
            self._adopt(connection, batch, *self._places)
        return outcome

    def _adopt(self, connection: Connection, batch: Batch, number: int, order: int) -> None:
        """Give each return without a customer that of its order."""
        orders: dict[str, str] = {}  # by the key of the return
        for cells in batch.rows:
            pair = (_text(cells[number]), _text(cells[order]))
            if all(pair):
                orders[f"{self._source}:{pair[0]}{RETURN_SUFFIX}"] = f"{self._source}:{pair[1]}"
        owners: dict[str, int] = {}
        known = select(customer_order.c.key, customer_order.c.profile_id).where(
            customer_order.c.profile_id.is_not(None)
        )
        for some in batches(sorted(set(orders.values())), _LOOKUP_BATCH):
            owners.update(connection.execute(known.where(customer_order.c.key.in_(some))).tuples().all())
        rows = [{"return": key, "owner": owners[of]} for key, of in orders.items() if of in owners]
        if rows:
            statement = update(customer_order).where(
                customer_order.c.key == bindparam("return"),
                customer_order.c.kind == OrderKind.RETURN.value,
                customer_order.c.profile_id.is_(None),
            )
            connection.execute(statement.values(profile_id=bindparam("owner")), rows)
            touch(connection, owners.values(), TouchKind.REWRITTEN)


def _text(cell: Any) -> str | None:
    try:
        return values.text(cell)
    except RefusedError:
        return None
