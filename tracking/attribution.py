"""Credits an order to the message that led to it: the last one that its person clicked, else the last one delivered.

Both must lie within their window before the order. An order has one conversion at most, over its whole total; what
comes back of it is taken from the same message (`returned_orders.py`). Later evidence moves nothing that was credited.
Measuring what a message caused is the business of the holdout, not of this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from core.cursors import get_position, read_after, save_position
from core.database import insert_ignore
from core.durations import parse_duration
from customers.tables import OrderKind, customer_order
from customers.workspace import Workspace, get_workspace
from delivery.tables import MessageKind, message
from tracking.classify import HUMAN, ActKind
from tracking.returned_orders import take_back
from tracking.tables import conversion, engagement_event

WINDOW: Final = timedelta(days=7)

_CURSOR: Final = "attribution"
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Windows:
    """How long after a person's click and after a delivery an order counts for the message; zero: never."""

    after_click: timedelta = WINDOW
    after_delivery: timedelta = WINDOW


@dataclass(frozen=True, slots=True)
class _Touch:
    """A message met a person at this instant."""

    at: datetime
    message_id: str


def windows_of(workspace: Workspace) -> Windows:
    """What `tracking.attribution` of workspace.yaml says; a day is 24 hours."""
    written = workspace.tracking.get("attribution") or {}
    return Windows(**{name: parse_duration(text).as_elapsed() for name, text in written.items()})


def credit_orders(connection: Connection, now: datetime, windows: Windows | None = None) -> int:
    """Credit the orders that came in since the last call; answers how many got a conversion.

    An order counts for a touch when it was placed in [touch, touch + window), and only touches up to `now` count. The
    windows are those of the published workspace, unless others are given.
    """
    position = get_position(connection, _CURSOR)
    credited_count = 0
    while True:
        has_person = (customer_order.c.profile_id.is_not(None),)
        orders, behind = read_after(connection, customer_order, position, limit=_BATCH, where=has_person)
        if not orders:
            return credited_count
        windows = windows or windows_of(get_workspace(connection))
        credited_count += _credit(connection, [row for row in orders if row.kind == OrderKind.ORDER], now, windows)
        take_back(connection, [row for row in orders if row.kind == OrderKind.RETURN])
        position = behind
        save_position(connection, _CURSOR, position)


def _credit(connection: Connection, orders: Sequence[Row[Any]], now: datetime, windows: Windows) -> int:
    if not orders:
        return 0
    profile_ids = sorted({order.profile_id for order in orders})
    first, until = min(order.placed_at for order in orders), min(now, max(order.placed_at for order in orders))
    clicks = _clicks(connection, profile_ids, first - windows.after_click, until)
    deliveries = _deliveries(connection, profile_ids, first - windows.after_delivery, until)
    rows = []
    for order in orders:
        clicked = _last(clicks.get(order.profile_id, ()), order.placed_at, windows.after_click)
        touch = clicked or _last(deliveries.get(order.profile_id, ()), order.placed_at, windows.after_delivery)
        if touch is not None:
            rows.append(
                {
                    "order_id": order.id,
                    "message_id": touch.message_id,
                    "rule": "clicked" if clicked else "delivered",
                    "amount": order.total,
                    "currency": order.currency,
                    "occurred_at": order.placed_at,
                    "returns_order_id": None,
                }
            )
    return len(insert_ignore(connection, conversion, rows, returning=["order_id"]))


def _last(touches: Iterable[_Touch], placed_at: datetime, window: timedelta) -> _Touch | None:
    within = [touch for touch in touches if touch.at <= placed_at < touch.at + window]
    return max(within, key=lambda touch: (touch.at, touch.message_id), default=None)


def _clicks(
    connection: Connection, profile_ids: Sequence[int], since: datetime, until: datetime
) -> dict[int, list[_Touch]]:
    event = engagement_event.c
    query = select(event.profile_id, event.occurred_at, event.message_id).where(
        event.profile_id.in_(profile_ids),
        event.occurred_at > since,
        event.occurred_at <= until,
        event.kind == ActKind.CLICKED.value,
        event.human_probability >= HUMAN,
    )
    return _by_profile(connection.execute(query))


def _deliveries(
    connection: Connection, profile_ids: Sequence[int], since: datetime, until: datetime
) -> dict[int, list[_Touch]]:
    query = select(message.c.profile_id, message.c.delivered_at, message.c.id).where(
        message.c.profile_id.in_(profile_ids),
        message.c.kind == MessageKind.MARKETING.value,
        message.c.delivered_at > since,
        message.c.delivered_at <= until,
    )
    return _by_profile(connection.execute(query))


def _by_profile(rows: Iterable[Any]) -> dict[int, list[_Touch]]:
    touches: dict[int, list[_Touch]] = defaultdict(list)
    for profile_id, at, message_id in rows:
        touches[profile_id].append(_Touch(at, message_id))
    return touches
