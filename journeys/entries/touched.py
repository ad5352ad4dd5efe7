"""Whose attributes, identities, lists or consents changed: read from the touches, by a cursor of each reader's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, or_

from core.cursors import Position, get_position, latest_position, read_after, save_position
from customers.tables import profile_touch

_BATCH = 500
_SHORT = 20  # so few neighbours are rather named one by one


@dataclass(frozen=True, slots=True)
class Touched:
    """Some profiles, and long stretches of them (first, last); `behind` is where the reader goes on."""

    ids: frozenset[int]
    stretches: tuple[tuple[int, int], ...]
    behind: Position

    def include(self, number: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition that `number` is the id of one of them."""
        parts = [and_(number >= first, number <= last) for first, last in self.stretches]
        return or_(false(), number.in_(sorted(self.ids)), *parts)


def has_touched(connection: Connection, cursor: str) -> bool:
    return _order(latest_position(connection, profile_touch)) > _order(get_position(connection, cursor))


def read_touched(connection: Connection, cursor: str) -> Touched:
    """The next touches behind `cursor`, which stays where it is."""
    rows, behind = read_after(connection, profile_touch, get_position(connection, cursor), limit=_BATCH)
    ids: set[int] = set()
    stretches: list[tuple[int, int]] = []
    for row in rows:
        if row.last_id - row.first_id < _SHORT:
            ids.update(range(row.first_id, row.last_id + 1))
        else:
            stretches.append((row.first_id, row.last_id))
    return Touched(frozenset(ids), tuple(dict.fromkeys(stretches)), behind)


def begin_now(connection: Connection, cursor: str) -> None:
    """Pass over everything that was touched so far."""
    save_position(connection, cursor, latest_position(connection, profile_touch))


def _order(position: Position) -> tuple[int, int]:
    return (position.transaction_no, position.row_id)
