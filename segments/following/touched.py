"""Whose rows changed since a position: read from the log, from orders and from touches, in the order of commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table

from core.cursors import Position, latest_position, read_after
from customers.tables import customer_event, customer_order, profile_touch
from segments.mark import Positions
from segments.membership_writes import ENTERED, LEFT

MOST = 100_000  # people in one touch, or rows to read: above it a refresh of everybody costs less


@dataclass(frozen=True, slots=True)
class Touched:
    """The people, the positions behind them, and whether more are waiting. `too_many`: rather ask about everybody."""

    ids: frozenset[int]
    positions: Positions
    has_more: bool
    too_many: bool = False


def read_touched(connection: Connection, since: Positions, limit: int, *, reads_moves: bool) -> Touched:
    """Up to `limit` rows of each kind; `reads_moves` also those that tell of entering and leaving a segment."""
    where = () if reads_moves else (customer_event.c.name.not_in((ENTERED, LEFT)),)
    events = _read(connection, customer_event, since.events, limit, where)
    orders = _read(connection, customer_order, since.orders, limit, ())
    touches = _read(connection, profile_touch, since.touches, limit, ())
    ids = {row.profile_id for row in (*events.rows, *orders.rows) if row.profile_id is not None}
    widest = max((row.last_id - row.first_id for row in touches.rows), default=0)
    waiting = events.waiting + orders.waiting + touches.waiting
    if widest > MOST or waiting > MOST:
        return Touched(frozenset(), since, has_more=True, too_many=True)
    behind = touches.behind
    has_more = any(one.has_more for one in (events, orders, touches))
    for number, row in enumerate(touches.rows):
        ids.update(range(row.first_id, row.last_id + 1))
        if len(ids) >= 2 * limit and number + 1 < len(touches.rows):
            behind, has_more = Position(row._transaction_no, row._row_id), True
            break
    return Touched(frozenset(ids), Positions(events.behind, orders.behind, behind), has_more)


def count_waiting(connection: Connection, since: Positions) -> int:
    """How many rows are behind these positions, at most: ids that were given to nothing count as well."""
    pairs = ((customer_event, since.events), (customer_order, since.orders), (profile_touch, since.touches))
    return sum(_gap(position, latest_position(connection, table)) for table, position in pairs)


def oldest_waiting(connection: Connection, since: Positions) -> datetime | None:
    """When the first of the rows behind these positions came; None when nothing waits."""
    pairs = (
        (customer_event, customer_event.c.received_at, since.events),
        (profile_touch, profile_touch.c.touched_at, since.touches),
    )
    came: list[datetime] = []
    for table, when, position in pairs:
        rows, _ = read_after(connection, table, position, limit=1, columns=[when])
        came += [row[0] for row in rows]
    return min(came, default=None)


@dataclass(frozen=True, slots=True)
class _Read:
    rows: Sequence[Any]
    behind: Position
    has_more: bool
    waiting: int


def _read(
    connection: Connection, table: Table, since: Position, limit: int, where: Iterable[ColumnElement[bool]]
) -> _Read:
    latest = latest_position(connection, table)  # before reading: what comes meanwhile waits for the next turn
    if _order(latest) <= _order(since):
        return _Read((), since, has_more=False, waiting=0)
    columns = [table.c.first_id, table.c.last_id] if table is profile_touch else [table.c.profile_id]
    rows, behind = read_after(connection, table, since, limit=limit, columns=columns, where=tuple(where))
    is_all = len(rows) < limit
    behind = max(behind, latest, key=_order) if is_all else behind
    return _Read(rows, behind, not is_all, 0 if is_all else _gap(behind, latest))


def _gap(position: Position, latest: Position) -> int:
    return max(0, latest.row_id - position.row_id)


def _order(position: Position) -> tuple[int, int]:
    return (position.transaction_no, position.row_id)
