"""Following the customer log from outside: a page of events behind a cursor, and the cursor behind the page.

The cursor is opaque to its holder and names a place in the order of commits (core/cursors.py): whoever goes on with it
misses no event, however late its transaction commits, and gets none twice. A restore of the database ends all cursors.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from core.cursors import RESTORED, Position, get_position, latest_position, read_after
from core.errors import ConflictError, InputError
from core.vault import Vault
from customers.tables import customer_event
from tracking.outgoing.documents import Wanted, event_documents

_CURSOR: Final = re.compile(r"1:(\d{1,19}):(-?\d{1,19}):(\d{1,19})")
_LIMIT: Final = 2**63


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of their commits. `has_more` tells that the next page is there already."""

    events: list[dict[str, Any]]
    cursor: Position
    has_more: bool


def read_page(connection: Connection, vault: Vault, position: Position, limit: int, wanted: Wanted) -> Page:
    """Up to `limit` events behind `position`."""
    latest = latest_position(connection, customer_event)  # before reading: what commits meanwhile lies behind it
    rows, _ = read_after(connection, customer_event, position, limit=limit + 1, where=wanted.where)
    has_more = len(rows) > limit
    page = rows[:limit]
    behind = Position(page[-1]._transaction_no, page[-1]._row_id) if page else position
    if not has_more and is_behind(latest, behind):
        behind = latest  # what the names passed over need not be passed over again
    return Page(event_documents(connection, vault, page, wanted), behind, has_more)


def is_behind(one: Position, other: Position) -> bool:
    """Whether `one` lies behind `other` in the log."""
    return (one.transaction_no, one.row_id) > (other.transaction_no, other.row_id)


def write_cursor(connection: Connection, position: Position) -> str:
    text = f"1:{_last_restore(connection)}:{position.transaction_no}:{position.row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(connection: Connection, text: str) -> Position:
    """What `write_cursor` wrote. Raises InputError for anything else, ConflictError for one of before a restore."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        decoded = ""
    found = _CURSOR.fullmatch(decoded)
    if found is None or max(abs(int(number)) for number in found.groups()) >= _LIMIT:
        raise InputError("`after` is no cursor: write what the page before gave, or `end` for what comes from now on.")
    if int(found[1]) != _last_restore(connection):
        raise ConflictError(
            "the database was put back from a backup since, and places in it have changed: begin anew without `after`, "
            "where known ids tell what is known, or with `after=end`."
        )
    return Position(int(found[2]), int(found[3]))


def _last_restore(connection: Connection) -> int:
    """Microseconds since 1970; 0 where there was none."""
    return get_position(connection, RESTORED).row_id
