"""Undoing what an import recorded: consents, events, orders and products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select, update

from core.bulk import among
from core.database import upsert
from customers.consent import ConsentStatus, NewConsent, record_consents
from customers.imports.undo_steps import PAGE, Page, Undoing, next_after, read_changes
from customers.lists import add_to_list
from customers.tables import (
    ImportChangeKind,
    consent_entry,
    customer_event,
    customer_order,
    event_key,
    order_line,
    product,
    static_list_member,
    suppression,
)
from customers.touches import TouchKind, touch, touch_everybody


def undo_source(batch_id: int) -> str:
    """The source of the withdrawals that answer an import's grants."""
    return f"undo:{batch_id}"


def answer_grants(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """A withdrawal for each grant, at the grant's own instant: it beats that one and leaves later ones standing."""
    entry = consent_entry.c
    rows = connection.execute(
        select(consent_entry)
        .where(entry.batch_id == undoing.batch_id, entry.status == ConsentStatus.GRANTED, entry.id > (after or 0))
        .order_by(entry.id)
        .limit(PAGE)
    ).all()
    answers = [
        NewConsent(
            lookup=row.lookup,
            channel=row.channel,
            topic=row.topic,
            status=ConsentStatus.WITHDRAWN,
            basis=None,
            source=undo_source(undoing.batch_id),
            occurred_at=row.occurred_at,
            profile_id=row.profile_id,
            key=f"undo:{undoing.batch_id}:{row.id}",
        )
        for row in rows
    ]
    new = record_consents(connection, answers, undoing.now)
    return Page(next_after(rows, rows[-1].id if rows else None), len(rows), Counter(grants_withdrawn=len(new)))


def count_kept(connection: Connection, undoing: Undoing, _after: Any) -> Page:
    """Every no stays; it is only counted."""
    entry, stop = consent_entry.c, suppression.c
    denied = select(func.count()).where(entry.batch_id == undoing.batch_id, entry.status == ConsentStatus.WITHDRAWN)
    stopped = select(func.count()).where(stop.batch_id == undoing.batch_id)
    withdrawals, stops = (int(connection.execute(query).scalar_one()) for query in (denied, stopped))
    return Page(None, withdrawals + stops, Counter(withdrawals_kept=withdrawals, suppressions_kept=stops))


def leave_lists(connection: Connection, undoing: Undoing, _after: Any) -> Page:
    """Whoever the import put on a list comes off it."""
    member = static_list_member.c
    of_batch = member.batch_id == undoing.batch_id
    name = connection.execute(select(func.min(member.list)).where(of_batch)).scalar()
    if name is None:
        return Page()
    leaving = delete(static_list_member).where(of_batch, member.list == name).returning(member.profile_id)
    gone = connection.scalars(leaving).all()
    touch(connection, gone)
    return Page(name, len(gone), Counter(list_members=len(gone)))


def return_to_lists(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Whoever the import took off a list is on it again."""
    rows = read_changes(connection, undoing, ImportChangeKind.LIST_LEFT, after)
    by_list: dict[str, list[int]] = {}
    for row in rows:
        by_list.setdefault(row.ref.partition(":")[2], []).append(row.profile_id)
    back = sum(len(add_to_list(connection, name, ids, undoing.now)) for name, ids in by_list.items())
    return Page(next_after(rows, rows[-1].ref if rows else None), len(rows), Counter(list_members_restored=back))


def delete_events(connection: Connection, undoing: Undoing, after: Any) -> Page:
    event = customer_event.c
    query = select(event.id).where(event.batch_id == undoing.batch_id, event.id > (after or 0))
    ids = connection.execute(query.order_by(event.id).limit(PAGE)).scalars().all()
    leaving = delete(customer_event).where(among(connection, event.id, ids)).returning(event.profile_id)
    touch(connection, connection.scalars(leaving), TouchKind.REWRITTEN)
    return Page(next_after(ids, ids[-1] if ids else None), len(ids), Counter(events=len(ids)))


def delete_event_keys(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """With its key an event can come again: what is undone may be imported anew."""
    key = event_key.c
    query = select(key.key).where(key.batch_id == undoing.batch_id, key.key > (after or ""))
    keys = connection.execute(query.order_by(key.key).limit(PAGE)).scalars().all()
    connection.execute(delete(event_key).where(among(connection, key.key, keys)))
    return Page(next_after(keys, keys[-1] if keys else None), len(keys))


def delete_orders(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Orders go with their lines, and the database takes away what was credited to a message for them."""
    order = customer_order.c
    query = select(order.id).where(order.batch_id == undoing.batch_id, order.id > (after or 0))
    ids = connection.execute(query.order_by(order.id).limit(PAGE)).scalars().all()
    lines = connection.execute(delete(order_line).where(among(connection, order_line.c.order_id, ids))).rowcount
    leaving = delete(customer_order).where(among(connection, order.id, ids)).returning(order.profile_id)
    touch(connection, connection.scalars(leaving), TouchKind.REWRITTEN)
    counts = Counter(orders=len(ids), order_lines=lines)
    return Page(next_after(ids, ids[-1] if ids else None), len(ids), counts)


def delete_order_lines(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Lines that the import added to orders of others; those get the totals of what is left."""
    rows = read_changes(connection, undoing, ImportChangeKind.ORDER_LINE, after)
    places = [tuple(map(int, row.ref.split(":"))) for row in rows]
    line = order_line.c
    if places:
        this = (line.order_id == bindparam("of_order")) & (line.line_no == bindparam("number"))
        values = [{"of_order": order_id, "number": number} for order_id, number in places]
        connection.execute(delete(order_line).where(this), values)
        _total(connection, sorted({order_id for order_id, _ in places}))
    return Page(next_after(rows, rows[-1].ref if rows else None), len(rows), Counter(order_lines=len(rows)))


def restore_products(connection: Connection, undoing: Undoing, after: Any) -> Page:
    """Products become what they were; one that is new goes, unless something that was sold is it."""
    rows = read_changes(connection, undoing, ImportChangeKind.PRODUCT, after)
    notes = {row.ref: msgspec.json.decode(row.before) for row in rows}
    skus = list(notes)
    now = {
        row["sku"]: row
        for row in connection.execute(select(product).where(among(connection, product.c.sku, skus))).mappings()
    }
    sold = _sold(connection, skus)
    gone, back = [], []
    for sku, note in notes.items():
        if sku not in now or any(now[sku][name] != value for name, value in note["after"].items()):
            continue
        if note["before"] is not None:
            back.append({**now[sku], **note["before"], "updated_at": undoing.now})
        elif sku not in sold:
            gone.append(sku)
    connection.execute(delete(product).where(among(connection, product.c.sku, gone)))
    names = [column.name for column in product.c if column.name != "sku"]
    upsert(connection, product, back, key=["sku"], update=names)
    if gone or any(row["category"] != now[row["sku"]]["category"] for row in back):
        touch_everybody(connection)
    counts = Counter(products=len(gone), products_restored=len(back), products_kept=len(notes) - len(gone) - len(back))
    return Page(next_after(rows, rows[-1].ref if rows else None), len(rows), counts)


def _sold(connection: Connection, skus: Sequence[str]) -> Collection[str]:
    query = select(order_line.c.sku).where(among(connection, order_line.c.sku, skus)).distinct()
    return set(connection.execute(query).scalars())


def _total(connection: Connection, order_ids: Sequence[int]) -> None:
    line, order = order_line.c, customer_order.c
    sums = select(line.order_id, func.sum(line.amount), func.count()).where(among(connection, line.order_id, order_ids))
    found: Mapping[int, tuple[Any, int]] = {
        number: (total, count) for number, total, count in connection.execute(sums.group_by(line.order_id))
    }
    rows = [
        {"its_id": number, "sum": int(total), "count": count}
        for number in order_ids
        for total, count in (found.get(number, (0, 0)),)
    ]
    statement = update(customer_order).where(order.id == bindparam("its_id"))
    connection.execute(statement.values(total=bindparam("sum"), line_count=bindparam("count")), rows)
    owners = select(order.profile_id).where(among(connection, order.id, order_ids))
    touch(connection, connection.scalars(owners), TouchKind.REWRITTEN)
