"""What an import of anything but customers would do, row by row: new, there already, other than what is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Select, select

from core.clock import from_micros
from core.database import batches
from core.ids import derived_id
from customers.consent import ConsentStatus, NewConsent, consent_of
from customers.identities import lookup_of
from customers.imports import consent_words
from customers.imports.batch import Batch
from customers.imports.consents import ConsentImporter
from customers.imports.dry_examples import Tally, masked_address
from customers.imports.dry_people import PeoplePreview
from customers.imports.events import EventImporter
from customers.imports.fields import ImportKind
from customers.imports.job import Job
from customers.imports.lists import ListImporter
from customers.imports.order_lines import LineParser, columns_of
from customers.imports.positions import Positions
from customers.imports.products import ProductImporter
from customers.imports.returns import as_orders
from customers.imports.rows import Parsed
from customers.imports.seen_rows import SeenRows
from customers.imports.suppressions import SuppressionImporter
from customers.imports.values import Reason
from customers.tables import (
    consent_entry,
    customer_order,
    event_key,
    order_line,
    product,
    static_list_member,
    suppression,
)

_LOOKUP_BATCH = 5_000
_PRODUCT_COLUMNS = (
    "name",
    "category",
    "price",
    "currency",
    "stock",
    "url",
    "image_url",
    "is_hidden",
    "is_replenishable",
)


class Preview(Protocol):
    """One kind of rows. Reads the database and writes nothing."""

    def look(self, connection: Connection, batch: Batch) -> None: ...


class ProductPreview(ProductImporter):
    def __init__(self, job: Job, seen: SeenRows, tally: Tally) -> None:
        super().__init__(job)
        self._seen, self._tally = seen, tally
        tally.counts.update(new_products=0, changed=0, unchanged=0, repeated_rows=0)

    def look(self, connection: Connection, batch: Batch) -> None:
        records, refused = self._parser.records(batch)
        self._tally.refuse(refused)
        rows = [(parsed.line, self._row(parsed.record)) for parsed in records]
        good = [(line, row) for line, row in rows if not isinstance(row, Reason)]
        self._tally.refused.update(row for _, row in rows if isinstance(row, Reason))
        stored = {
            row["sku"]: row
            for row in _found(connection, select(product), product.c.sku, {row["sku"] for _, row in good})
        }
        for line, row in good:
            sku = row["sku"]
            self._tally.counts["repeated_rows"] += _is_repeated(self._seen, "sku", sku)
            before = stored.get(sku)
            old = {name: before[name] for name in _PRODUCT_COLUMNS} if before else {}
            changes = [
                (name, None if old.get(name) is None else str(old[name]), str(value))
                for name, value in row.items()
                if name != "sku" and old.get(name) != value
            ]
            what = "new_products" if before is None else "changed" if changes else "unchanged"
            self._tally.counts[what] += 1
            if what != "unchanged":
                self._tally.show(line, what, sku, changes)


class OrderPreview:
    """Also of returns, which are orders with another sign."""

    def __init__(self, job: Job, _seen: SeenRows, tally: Tally) -> None:
        is_returns = job.mapping.kind is ImportKind.RETURNS
        self._job = Job(job.vault, job.workspace, as_orders(job.mapping), job.columns, job.now) if is_returns else job
        self._parser = LineParser(self._job)
        self._positions = Positions()
        self._orders = Positions()
        self._tally = tally
        tally.counts.update(new_orders=0, new_returns=0, known_orders=0, new_lines=0, unchanged=0, anonymous_orders=0)

    def look(self, connection: Connection, batch: Batch) -> None:
        if not batch.rows:
            self._tally.refuse(batch.malformed)
            return
        columns = columns_of(batch)
        keys = self._parser.keys(columns)
        wanted = {key for key in keys if type(key) is not Reason}
        order = customer_order.c
        stored = {row["key"]: row for row in _found(connection, select(customer_order), order.key, wanted)}
        currencies = {key: row["currency"] for key, row in stored.items()}
        accepted = self._parser.accept(batch, columns, keys, self._positions.take(keys), currencies)
        self._tally.refuse(accepted.refused)
        heads = list(accepted.heads)
        counts = self._tally.counts
        for key, times in zip(heads, self._orders.take(heads), strict=True):
            head = accepted.heads[key]
            if times == 1:
                counts["new_returns" if head.is_return else "new_orders"] += 1
                counts["anonymous_orders"] += head.customer is None
                placed = f"{from_micros(head.placed_at):%Y-%m-%d %H:%M} UTC"
                line = batch.lines[next(place for place, of in enumerate(keys) if of == key)]
                self._tally.show(
                    line,
                    "new_returns" if head.is_return else "new_orders",
                    key,
                    [("placed_at", None, placed), ("currency", None, head.currency)],
                )
        known = list(stored)
        counts["known_orders"] += sum(times == 1 for times in self._orders.take(known))
        lines = self._stored_lines(connection, [row["id"] for row in stored.values()])
        for place, (key, number, kind, sku, quantity, amount) in zip(accepted.places, accepted.lines, strict=True):
            before = lines.get((stored[key]["id"], number)) if key in stored else None
            if before is None:
                counts["new_lines"] += 1
            elif before == (kind, sku, quantity, amount):
                counts["unchanged"] += 1
            else:
                self._tally.refused["differs_from_stored"] += 1
                changes = [("quantity", str(before[2]), str(quantity)), ("amount", str(before[3]), str(amount))]
                self._tally.show(batch.lines[place], "differs_from_stored", key, changes)

    @staticmethod
    def _stored_lines(connection: Connection, order_ids: Collection[int]) -> dict[tuple[int, int], tuple[Any, ...]]:
        return {
            (row["order_id"], row["line_no"]): (row["kind"], row["sku"], row["quantity"], row["amount"])
            for row in _found(connection, select(order_line), order_line.c.order_id, set(order_ids))
        }


class EventPreview(EventImporter):
    def __init__(self, job: Job, seen: SeenRows, tally: Tally) -> None:
        super().__init__(job)
        self._seen, self._tally = seen, tally
        tally.counts.update(new_events=0, unchanged=0, repeated_rows=0, identify_calls=0)

    def look(self, connection: Connection, batch: Batch) -> None:
        said, refused = self.read(batch)
        rows = [(one.parsed, one.name) for one in said]
        self._tally.refuse(refused)
        source, counts = self.job.mapping.source, self._tally.counts
        keys = {
            parsed.line: f"{source}:{parsed.record.get('message_id') or derived_id('event', *parsed.cells)}"
            for parsed, name in rows
            if name is not None
        }
        there = {row["key"] for row in _found(connection, select(event_key), event_key.c.key, set(keys.values()))}
        for parsed, name in rows:
            if name is None:
                counts["identify_calls"] += 1
                continue
            key = keys[parsed.line]
            if _is_repeated(self._seen, "event", key):
                counts["repeated_rows"] += 1
            elif key in there:
                counts["unchanged"] += 1
            else:
                counts["new_events"] += 1
                at = f"{parsed.record['occurred_at']:%Y-%m-%d %H:%M} UTC"
                self._tally.show(parsed.line, "new_events", name, [("occurred_at", None, at)])


class ConsentPreview(ConsentImporter):
    def __init__(self, job: Job, seen: SeenRows, tally: Tally) -> None:
        super().__init__(job)
        self._seen, self._tally = seen, tally
        tally.counts.update(grants=0, withdrawals=0, unchanged=0, repeated_rows=0, grants_refused_because_withdrawn=0)

    def look(self, connection: Connection, batch: Batch) -> None:
        records, refused = self._parser.records(batch)
        self._tally.refuse(refused)
        reasons = [self._reason(parsed) for parsed in records]
        self._tally.refused.update(reason for reason in reasons if reason is not None)
        entries = [
            (parsed, self._entry(parsed)) for parsed, reason in zip(records, reasons, strict=True) if reason is None
        ]
        keys = {entry.key for _, entry in entries}
        there = {row["key"] for row in _found(connection, select(consent_entry.c.key), consent_entry.c.key, keys)}
        denied = self._denied(connection, [entry for _, entry in entries])
        counts = self._tally.counts
        for parsed, entry in entries:
            is_grant = entry.status is ConsentStatus.GRANTED
            if _is_repeated(self._seen, "consent", entry.key):
                what = "repeated_rows"
            elif is_grant and (entry.channel, entry.topic, entry.lookup) in denied:
                what = "grants_refused_because_withdrawn"
            elif entry.key in there:
                what = "unchanged"
            else:
                what = "grants" if is_grant else "withdrawals"
            counts[what] += 1
            if what not in ("unchanged", "repeated_rows"):
                kind = consent_words.address_kind(entry.channel)
                change = (f"{entry.channel}.{entry.topic}", None, entry.status.value)
                self._tally.show(parsed.line, what, masked_address(kind, parsed.record[kind]), [change])

    def _entry(self, parsed: Parsed) -> NewConsent:
        record = parsed.record
        kind = consent_words.address_kind(record["channel"])
        lookup = lookup_of(self.job.vault, kind, record[kind])
        words = (record["channel"], record["topic"], record["status"], record["occurred_at"])
        return consent_words.entry(self.job.mapping.source, lookup, *words, None)

    def _denied(self, connection: Connection, entries: list[NewConsent]) -> set[tuple[str, str, str]]:
        """The addresses whose last word is no, here or in this file."""
        found: set[tuple[str, str, str]] = set()
        for channel, topic in sorted({(entry.channel, entry.topic) for entry in entries}):
            lookups = [entry.lookup for entry in entries if (entry.channel, entry.topic) == (channel, topic)]
            states = consent_of(connection, channel, topic, lookups, self.job.now)
            said = {one.lookup for one in entries if one.channel == channel and one.status is ConsentStatus.WITHDRAWN}
            for lookup in said:
                self._seen.put(self._seen.hash("no", channel, topic, lookup), b"\1")
            found |= {
                (channel, topic, lookup)
                for lookup, state in states.items()
                if state is ConsentStatus.WITHDRAWN or self._seen.get(self._seen.hash("no", channel, topic, lookup))
            }
        return found


class SuppressionPreview(SuppressionImporter):
    def __init__(self, job: Job, seen: SeenRows, tally: Tally) -> None:
        super().__init__(job)
        self._seen, self._tally = seen, tally
        tally.counts.update(new_suppressions=0, unchanged=0, repeated_rows=0)

    def look(self, connection: Connection, batch: Batch) -> None:
        stops, refused = self.read(batch)
        self._tally.refuse(refused)
        lookups = {stop.lookup for _, stop in stops}
        there = {
            (row["channel"], row["lookup"])
            for row in _found(connection, select(suppression), suppression.c.lookup, lookups)
        }
        for parsed, stop in stops:
            if _is_repeated(self._seen, stop.channel, stop.lookup):
                self._tally.counts["repeated_rows"] += 1
            elif (stop.channel, stop.lookup) in there:
                self._tally.counts["unchanged"] += 1
            else:
                self._tally.counts["new_suppressions"] += 1
                kind = consent_words.address_kind(stop.channel)
                who = masked_address(kind, parsed.record[kind])
                self._tally.show(parsed.line, "new_suppressions", who, [("reason", None, stop.reason)])


class ListPreview(ListImporter):
    def __init__(self, job: Job, seen: SeenRows, tally: Tally) -> None:
        super().__init__(job)
        self._seen, self._tally = seen, tally
        tally.counts.update(added=0, removed=0, unchanged=0, repeated_rows=0)

    def look(self, connection: Connection, batch: Batch) -> None:
        rows, outcome = self.read(connection, batch)
        self._tally.refuse(outcome.refused)
        member = static_list_member.c
        people = {profile_id for _, profile_id in rows}
        there = {
            (row["list"], row["profile_id"])
            for row in _found(connection, select(static_list_member), member.profile_id, people)
        }
        for parsed, profile_id in rows:
            name = parsed.record["list"]
            stays = parsed.record.get("is_member") is not False
            if _is_repeated(self._seen, name, profile_id):
                what = "repeated_rows"
            elif ((name, profile_id) in there) == stays:
                what = "unchanged"
            else:
                what = "added" if stays else "removed"
                self._tally.show(parsed.line, what, f"{name}: profile {profile_id}")
            self._tally.counts[what] += 1


PREVIEWS: Mapping[ImportKind, Any] = {
    ImportKind.PROFILES: PeoplePreview,
    ImportKind.PRODUCTS: ProductPreview,
    ImportKind.ORDERS: OrderPreview,
    ImportKind.RETURNS: OrderPreview,
    ImportKind.EVENTS: EventPreview,
    ImportKind.CONSENTS: ConsentPreview,
    ImportKind.SUPPRESSIONS: SuppressionPreview,
    ImportKind.LISTS: ListPreview,
}


def _is_repeated(seen: SeenRows, *parts: object) -> bool:
    """Whether the file had a row of this key before."""
    key = seen.hash(*parts)
    if seen.get(key) is not None:
        return True
    seen.put(key, b"\1")
    return False


def _found(
    connection: Connection, query: Select[Any], column: Column[Any], wanted: Collection[Any]
) -> list[Mapping[str, Any]]:
    """The rows whose `column` is among `wanted`."""
    rows: list[Mapping[str, Any]] = []
    for some in batches(sorted(wanted), _LOOKUP_BATCH):
        rows += [dict(row) for row in connection.execute(query.where(column.in_(some))).mappings()]
    return rows
