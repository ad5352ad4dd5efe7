"""Whose rows changed without a word in the log: what readers of the log would otherwise never hear of.

Whoever changes what a condition can ask (attributes, identities, lists, consents, imports, merges, erasure) touches the
people in the same transaction. Segments and the columnar snapshot read the touches by cursor, beside the log and the
orders; a log event of the person in the same transaction makes a touch unnecessary, since it says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, func, literal, select, tuple_

from core.bulk import insert_few
from core.clock import SystemClock, to_micros
from core.cursors import Position, current_transaction
from customers.tables import profile, profile_touch

KEPT = timedelta(days=2)  # a reader that is further behind has to read everything

_COLUMNS = ("first_id", "last_id", "kind", "touched_at")
_clock = SystemClock()


class TouchKind(StrEnum):
    CHANGED = "changed"  # rows about the person outside log and orders came, changed or went
    REWRITTEN = "rewritten"  # so did rows of the log or of orders: whoever keeps a copy reads the person whole again


def touch(connection: Connection, profile_ids: Iterable[int | None], kind: TouchKind = TouchKind.CHANGED) -> None:
    """Tell that something about these people changed; nobody (None) is passed over. One statement, however many."""
    known = sorted({number for number in profile_ids if number is not None})
    _write(connection, list(_runs(known)), kind)


def touch_range(connection: Connection, first_id: int, last_id: int, kind: TouchKind = TouchKind.CHANGED) -> None:
    """`touch` for everybody from `first_id` to `last_id`, both of them included: one row for a whole import."""
    _write(connection, [(first_id, last_id)], kind)


def touch_everybody(connection: Connection) -> None:
    """For what concerns nobody in particular, such as the category of a product that was sold."""
    last = connection.scalar(select(func.max(profile.c.id)))
    if last is not None:
        touch_range(connection, 1, last)


def prune_touches(connection: Connection, now: datetime, readers: Iterable[Position]) -> int:
    """Forget what all `readers` have read and is older than `KEPT`; answers how many rows went.

    A reader that has stood still for longer must not hold the table: leave it out, and let it read everything anew.
    """
    row = profile_touch.c
    read = [
        tuple_(row.transaction_no, row.id) <= tuple_(literal(position.transaction_no), literal(position.row_id))
        for position in readers
    ]
    return connection.execute(delete(profile_touch).where(row.touched_at < now - KEPT, *read)).rowcount


def _write(connection: Connection, runs: list[tuple[int, int]], kind: TouchKind) -> None:
    touched_at = to_micros(_clock.now())  # for pruning alone: what is read and when is decided by the position
    rows = [(first, last, kind.value, touched_at) for first, last in runs]
    computed = {"transaction_no": current_transaction(connection)}
    insert_few(connection, profile_touch, _COLUMNS, rows, computed=computed)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as stretches without a gap."""
    first = last = None
    for number in numbers:
        if last is not None and first is not None and number != last + 1:
            yield first, last
            first = number
        first = number if first is None else first
        last = number
    if first is not None and last is not None:
        yield first, last
