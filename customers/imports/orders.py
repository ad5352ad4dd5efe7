"""Files of order lines become orders, anonymous ones included; cancellations become returns.

The key of an order is "SOURCE:NUMBER"; a line's number is its place among the lines of its order in the file. What is
stored stays as it is: a line that comes again is unchanged, one that comes again with other values is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.bulk import insert_rows
from core.clock import from_micros
from core.database import batches, insert_ignore
from customers.imports.changes import note_lines
from customers.imports.job import Job, Outcome
from customers.imports.order_customers import OrderCustomers
from customers.imports.order_lines import AcceptedLines, Customer, Head, LineParser, columns_of
from customers.imports.order_products import OrderProducts
from customers.imports.order_totals import finish_orders
from customers.imports.positions import Positions
from customers.imports.sources import Batch, Refused
from customers.imports.values import Reason
from customers.tables import OrderKind, customer_order, order_line

_COLUMNS = ("order_id", "line_no", "kind", "sku", "quantity", "amount")
_LOOKUP_BATCH = 5_000


class OrderImporter:
    """State: `first`, the lowest id of an order that needs its totals; `finished`, the last one that has them."""

    def __init__(self, job: Job) -> None:
        self.state: dict[str, Any] = {}
        self._job = job
        self._parser = LineParser(job)
        self._positions = Positions()
        self._customers = OrderCustomers(job)
        self._products = OrderProducts(job)

    def skip(self, batch: Batch) -> None:
        self._positions.take(self._parser.keys(columns_of(batch)))

    def prepare(self, batch: Batch) -> Batch:
        return batch

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        if not batch.rows:
            return Outcome(refused=list(batch.malformed))
        columns = columns_of(batch)
        keys = self._parser.keys(columns)
        stored = _find_orders(connection, {key for key in keys if type(key) is not Reason})
        currencies = {key: order.currency for key, order in stored.items()}
        accepted = self._parser.accept(batch, columns, keys, self._positions.take(keys), currencies)
        people = self._customers.resolve(connection, accepted.heads)
        made = self._create(connection, accepted.heads, people)
        ids = made | {key: order.id for key, order in stored.items()}
        others = {order.id for order in stored.values() if order.batch_id != self._job.batch_id}
        outcome = self._insert_lines(connection, batch, accepted, ids, others)
        # Also those that an import which never ended left behind.
        self._note([*made.values(), *(order.id for order in stored.values() if not order.line_count)])
        if outcome.imported_count:
            self._reopen(connection, {order.id for order in stored.values() if order.line_count})
            self._products.write(connection, accepted.sold)
        outcome.details.update(_described(accepted.heads, made, people))
        return outcome

    def finish(self, connection: Connection) -> bool:
        if "first" not in self.state:
            return False
        after = self.state.get("finished", self.state["first"] - 1)
        last = finish_orders(connection, self._job, after)
        if last is None:
            return False
        self.state["finished"] = last
        return True

    def _create(
        self, connection: Connection, heads: Mapping[str, Head], people: Mapping[Customer, int]
    ) -> dict[str, int]:
        rows = [
            {
                "key": key,
                "kind": (OrderKind.RETURN if head.is_return else OrderKind.ORDER).value,
                "profile_id": people.get(head.customer) if head.customer is not None else None,
                "placed_at": from_micros(head.placed_at),
                "currency": head.currency,
                "batch_id": self._job.batch_id,
            }
            for key, head in heads.items()
        ]
        return dict(insert_ignore(connection, customer_order, rows, returning=["key", "id"]))

    def _insert_lines(
        self, connection: Connection, batch: Batch, accepted: AcceptedLines, ids: Mapping[str, int], others: Set[int]
    ) -> Outcome:
        rows = [
            (ids[key], number, kind, sku, quantity, amount)
            for key, number, kind, sku, quantity, amount in accepted.lines
        ]
        self._note_lines(connection, [row[:2] for row in rows if row[0] in others])
        new_count = insert_rows(connection, order_line, _COLUMNS, rows)
        outcome = Outcome(imported_count=new_count, refused=accepted.refused)
        if new_count < len(rows):
            stored = _find_lines(connection, {row[0] for row in rows})
            for place, row in zip(accepted.places, rows, strict=True):
                if stored[row[:2]] != row[2:]:
                    refused = Refused(batch.lines[place], Reason("differs_from_stored"), batch.rows[place])
                    outcome.refused.append(refused)
        outcome.unchanged_count = batch.read_count - new_count - len(outcome.refused)
        return outcome

    def _note_lines(self, connection: Connection, places: Sequence[tuple[int, int]]) -> None:
        """Lines that are new in orders that this import did not make."""
        known = _find_lines(connection, {order_id for order_id, _ in places}) if places else {}
        note_lines(connection, self._job.batch_id, [place for place in places if place not in known])

    def _reopen(self, connection: Connection, order_ids: set[int]) -> None:
        """Orders that had their totals and get more lines are totalled again."""
        for some in batches(sorted(order_ids), _LOOKUP_BATCH):
            connection.execute(update(customer_order).where(customer_order.c.id.in_(some)).values(line_count=0))
        self._note(order_ids)

    def _note(self, order_ids: Iterable[int]) -> None:
        lowest = min(order_ids, default=None)
        if lowest is not None:
            self.state["first"] = min(lowest, self.state.get("first", lowest))


def _find_orders(connection: Connection, keys: Set[str]) -> dict[str, Row[Any]]:
    """Id, currency, line count and import of the orders that are stored."""
    order = customer_order.c
    found: dict[str, Row[Any]] = {}
    for some in batches(sorted(keys), _LOOKUP_BATCH):
        query = select(order.key, order.id, order.currency, order.line_count, order.batch_id).where(order.key.in_(some))
        found.update((row.key, row) for row in connection.execute(query))
    return found


def _find_lines(connection: Connection, order_ids: Set[int]) -> dict[tuple[int, int], tuple[str, str, int, int]]:
    line = order_line.c
    found = {}
    for some in batches(sorted(order_ids), _LOOKUP_BATCH):
        query = select(line.order_id, line.line_no, line.kind, line.sku, line.quantity, line.amount)
        for row in connection.execute(query.where(line.order_id.in_(some))).tuples():
            found[row[:2]] = row[2:]
    return found


def _described(heads: Mapping[str, Head], made: Mapping[str, int], people: Mapping[Customer, int]) -> Counter[str]:
    new = [heads[key] for key in made]
    return Counter(
        orders=sum(not head.is_return for head in new),
        returns=sum(head.is_return for head in new),
        anonymous=sum(head.customer is None for head in new),
        erased_before=sum(head.customer is not None and head.customer not in people for head in new),
    )
