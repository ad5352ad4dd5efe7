"""How far memberships follow: three cursors, and the stretch of time in which each membership was last asked about.

Every membership that was built is right for some instant in [followed_to, asked_at]; the sweep goes over that stretch
and up to now, whichever way the clock went. The row is also the lock between ticks and refreshes: on PostgreSQL it is
held until the transaction ends, on SQLite there is one writer anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, Table, select, update

from core.cursors import Position, behind, get_position, latest_position, save_position
from core.database import insert_ignore
from customers.tables import customer_event, customer_order, profile_touch
from segments.membership_writes import ENTERED, LEFT
from segments.tables import segment_follow

CURSOR = "segments"  # of the log
_CURSORS: tuple[tuple[str, Table], ...] = (
    (CURSOR, customer_event),
    ("segments.orders", customer_order),
    ("segments.touches", profile_touch),
)
_NAME = "tick"
_AT_ONCE = timedelta(hours=1)  # so long may a refresh of everybody take, from reading its clock to writing


@dataclass(frozen=True, slots=True)
class Positions:
    """Behind which rows everything was followed."""

    events: Position
    orders: Position
    touches: Position


class ReadUpTo(Protocol):
    """Behind which rows somebody has read: a tick, or a copy of the system of record."""

    @property
    def events(self) -> Position: ...
    @property
    def orders(self) -> Position: ...
    @property
    def touches(self) -> Position: ...


@dataclass(frozen=True, slots=True)
class Mark:
    positions: Positions
    followed_to: datetime
    asked_at: datetime


def lock_mark(connection: Connection) -> Mark | None:
    """The mark, nobody else's until the transaction ends; None before the first tick."""
    row = connection.execute(
        select(segment_follow).where(segment_follow.c.name == _NAME).with_for_update()
    ).one_or_none()
    return None if row is None else Mark(_read(connection), row.followed_to, row.asked_at)


def find_mark(connection: Connection) -> Mark | None:
    """The mark as it stands."""
    row = connection.execute(select(segment_follow).where(segment_follow.c.name == _NAME)).one_or_none()
    return None if row is None else Mark(_read(connection), row.followed_to, row.asked_at)


def save_mark(connection: Connection, mark: Mark, now: datetime) -> None:
    for (name, _), position in zip(_CURSORS, _in_order(mark.positions), strict=True):
        save_position(connection, name, position)
    values = {"followed_to": mark.followed_to, "asked_at": mark.asked_at, "ticked_at": now}
    insert_ignore(connection, segment_follow, [{"name": _NAME, **values}])
    connection.execute(update(segment_follow).where(segment_follow.c.name == _NAME).values(**values))


def latest_positions(connection: Connection) -> Positions:
    """Behind everything that can be read safely now."""
    return Positions(*(latest_position(connection, table) for _, table in _CURSORS))


def begin_refresh(connection: Connection, now: datetime) -> datetime:
    """Lock the mark for a refresh as of `now`; answers the instant at which to ask.

    A tick may have read its clock a moment later and been faster: a refresh as of an older instant would put back who
    has just left. The sweep will go over that instant as well.
    """
    mark = lock_mark(connection)
    if mark is None:
        return now
    instant = mark.asked_at if now < mark.asked_at <= now + _AT_ONCE else now
    stretch = {"followed_to": min(mark.followed_to, instant), "asked_at": max(mark.asked_at, instant)}
    connection.execute(update(segment_follow).where(segment_follow.c.name == _NAME).values(**stretch))
    return instant


def last_tick(connection: Connection) -> datetime | None:
    """When somebody last looked."""
    found: datetime | None = connection.scalar(select(segment_follow.c.ticked_at).where(segment_follow.c.name == _NAME))
    return found


def committed_since(
    connection: Connection, since: ReadUpTo, limit: int, *, reads_moves: bool = True
) -> set[int] | None:
    """Everybody of whom any committed row stands behind `since`; None for more rows than `limit`.

    `reads_moves`: also those that tell of entering and leaving a segment.

    Without the caution of a cursor: whoever asked the database meanwhile may have seen these rows already.
    """
    ids: set[int] = set()
    for table, position in ((customer_event, since.events), (customer_order, since.orders)):
        query = select(table.c.profile_id).where(behind(connection, table, position)).limit(limit + 1)
        if table is customer_event and not reads_moves:
            query = query.where(customer_event.c.name.not_in((ENTERED, LEFT)))
        rows = list(connection.scalars(query))
        if len(rows) > limit:
            return None
        ids.update(number for number in rows if number is not None)
    touch = profile_touch.c
    ranges = connection.execute(
        select(touch.first_id, touch.last_id).where(behind(connection, profile_touch, since.touches)).limit(limit + 1)
    ).all()
    if len(ranges) > limit or sum(row.last_id - row.first_id + 1 for row in ranges) > limit:
        return None
    for row in ranges:
        ids.update(range(row.first_id, row.last_id + 1))
    return ids


def _read(connection: Connection) -> Positions:
    return Positions(*(get_position(connection, name) for name, _ in _CURSORS))


def _in_order(positions: Positions) -> tuple[Position, Position, Position]:
    return positions.events, positions.orders, positions.touches
