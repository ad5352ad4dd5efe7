"""Orders as a shop reports them: whole, once, with their lines; and the log events that follow from them.

Amounts are integers in minor units of the order's currency; a return has negative quantities and a negative total.
Files of order lines, whose orders arrive in pieces, are read by the importer instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from core.database import insert_ignore
from core.vault import Vault
from customers.log import NewEvent, append_events
from customers.tables import LineKind, OrderKind, customer_order, order_line
from customers.workspace import Workspace


@dataclass(frozen=True, slots=True)
class NewLine:
    """`amount` is that of the whole line, in minor units; negative, like `quantity`, in a return."""

    line_no: int
    sku: str
    quantity: int
    amount: int
    kind: LineKind = LineKind.PRODUCT


@dataclass(frozen=True, slots=True)
class NewOrder:
    """`key` is "<source>:<order number>"; no profile is an anonymous basket."""

    key: str
    kind: OrderKind
    profile_id: int | None
    placed_at: datetime
    currency: str
    lines: Sequence[NewLine]
    decision_id: str | None = None
    visitor_id: int | None = None  # the visitor by whom alone it is known whose it is


def order_key(source: str, number: str) -> str:
    return f"{source}:{number}"


def record_orders(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    orders: Sequence[NewOrder],
    *,
    source: str,
    received_at: datetime,
    is_historical: bool = False,
) -> list[str]:
    """Store the orders whose key is new, with lines and log event; answers their keys. Others change nothing."""
    by_key: dict[str, NewOrder] = {}
    for order in orders:
        by_key.setdefault(order.key, order)
    stored = insert_ignore(
        connection, customer_order, [_row(order) for order in by_key.values()], returning=["key", "id"]
    )
    if not stored:
        return []
    lines = [_line(order_id, line) for key, order_id in stored for line in by_key[key].lines]
    if lines:
        connection.execute(insert(order_line), lines)
    new = {key for key, _ in stored}
    fresh = [order for key, order in by_key.items() if key in new]
    events = [_event(order, source, is_historical) for order in fresh]
    append_events(connection, vault, workspace, events, received_at)
    return sorted(new)


def order_event(
    key: str,
    kind: str,
    profile_id: int | None,
    placed_at: datetime,
    *,
    total: int,
    currency: str,
    item_count: int,
    skus: Iterable[str],
    source: str,
    is_historical: bool,
    visitor_id: int | None = None,
) -> NewEvent:
    """`order_placed` or `order_returned`. Items and skus (sorted, once each) leave out fees, the total does not."""
    return NewEvent(
        name="order_placed" if kind == OrderKind.ORDER else "order_returned",
        occurred_at=placed_at,
        source=source,
        key=f"order:{key}",
        profile_id=profile_id,
        properties={
            "order_id": key,
            "total": total,
            "currency": currency,
            "item_count": item_count,
            "skus": sorted(set(skus)),
        },
        is_historical=is_historical,
        visitor_id=visitor_id,
    )


def _event(order: NewOrder, source: str, is_historical: bool) -> NewEvent:
    products = [line for line in order.lines if line.kind == LineKind.PRODUCT]
    return order_event(
        order.key,
        order.kind,
        order.profile_id,
        order.placed_at,
        total=sum(line.amount for line in order.lines),
        currency=order.currency,
        item_count=sum(line.quantity for line in products),
        skus=[line.sku for line in products],
        source=source,
        is_historical=is_historical,
        visitor_id=order.visitor_id,
    )


def _row(order: NewOrder) -> dict[str, Any]:
    return {
        "key": order.key,
        "kind": OrderKind(order.kind).value,
        "profile_id": order.profile_id,
        "placed_at": order.placed_at,
        "currency": order.currency,
        "total": sum(line.amount for line in order.lines),
        "line_count": len(order.lines),
        "decision_id": order.decision_id,
        "visitor_id": order.visitor_id,
    }


def _line(order_id: int, line: NewLine) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "line_no": line.line_no,
        "kind": LineKind(line.kind).value,
        "sku": line.sku,
        "quantity": line.quantity,
        "amount": line.amount,
    }
