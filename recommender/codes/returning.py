"""What becomes of a drawn code: carried by a message, certainly with its person, or back in its pool.

A code returns only when nobody can have seen it: no message took it along, or the one that should have never left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from core.bulk import among, set_rows
from core.clock import to_micros
from core.database import batches
from delivery.tables import MessageStatus, message
from recommender.codes.drawing import draw_id
from recommender.tables import offer_code

_BATCH = 5_000
_NEVER_LEFT = frozenset({MessageStatus.SKIPPED, MessageStatus.CANCELLED, MessageStatus.FAILED})
_OPEN = frozenset({MessageStatus.DUE, MessageStatus.CLAIMED, MessageStatus.SENDING})
_HAS_LEFT = frozenset({MessageStatus.SENT, MessageStatus.UNKNOWN})
_FREE = dict.fromkeys(
    ("draw_id", "offer", "owner", "profile_id", "origin_profile_id", "drawn_at", "message_id", "given_at")
)


def carry_codes(connection: Connection, carriers: Mapping[str, str], now: datetime) -> None:
    """Note which message (value) takes which draw (key) along. One that went out with an earlier message is given."""
    for some in batches(sorted(carriers), _BATCH):
        rows = _drawn(connection, offer_code.c.draw_id, some)
        given = [row.id for row in rows if row.message_id not in (None, carriers[row.draw_id]) and _may_be_out(row)]
        _note_given(connection, given, now)
        new = [(row.id, carriers[row.draw_id]) for row in rows if row.message_id != carriers[row.draw_id]]
        set_rows(connection, offer_code, ("id", "message_id"), new)


def hand_over_codes(connection: Connection, draws: Collection[str], now: datetime) -> None:
    """Note draws whose codes went another way than by a message, as into an event or a call: they never return."""
    for some in batches(sorted(draws), _BATCH):
        _note_given(connection, [row.id for row in _drawn(connection, offer_code.c.draw_id, some)], now)


def return_codes(connection: Connection, refused: Sequence[tuple[str, str]]) -> int:
    """Put back what was drawn for each offer and owner, unless somebody may have it; answers how many."""
    draws = sorted({draw_id(offer, owner) for offer, owner in refused})
    return sum(_put_back(connection, _drawn(connection, offer_code.c.draw_id, some)) for some in batches(draws, _BATCH))


def settle_codes(connection: Connection, owners: Collection[str], now: datetime) -> int:
    """Put back what owners drew who are through and never gave it away; answers how many.

    What went out with a message is noted as given. Owners with a message that is about to go are left alone: ask again.
    """
    returned = 0
    for some in batches(sorted(owners), _BATCH):
        rows = _drawn(connection, offer_code.c.owner, some)
        _note_given(connection, [row.id for row in rows if row.status in _HAS_LEFT], now)
        busy = _busy(connection, sorted({row.owner for row in rows}))
        returned += _put_back(connection, [row for row in rows if row.owner not in busy])
    return returned


def _busy(connection: Connection, owners: Sequence[str]) -> set[str]:
    """Those of the owners with a message that is yet to be composed or sent: it may take the code along."""
    query = select(message.c.origin_id).where(
        among(connection, message.c.origin_id, owners), message.c.status.in_(sorted(_OPEN))
    )
    return set(connection.execute(query.distinct()).scalars()) if owners else set()


def _drawn(connection: Connection, column: ColumnElement[Any], values: Sequence[str]) -> list[Row[Any]]:
    """What is drawn and not certainly given, each with the message that carries it; held until the end."""
    of = offer_code.c
    query = (
        select(of.id, of.draw_id, of.owner, of.message_id, message.c.status)
        .outerjoin(message, message.c.id == of.message_id)
        .where(among(connection, column, values), of.draw_id.is_not(None), of.given_at.is_(None), of.code.is_not(None))
        .order_by(of.id)
    )
    return list(connection.execute(query.with_for_update(of=offer_code)))


def _may_be_out(row: Row[Any]) -> bool:
    return row.message_id is not None and row.status not in _NEVER_LEFT


def _note_given(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    set_rows(connection, offer_code, ("id", "given_at"), [(number, to_micros(now)) for number in ids])


def _put_back(connection: Connection, rows: Sequence[Row[Any]]) -> int:
    ids = [row.id for row in rows if not _may_be_out(row)]
    if ids:
        connection.execute(update(offer_code).where(among(connection, offer_code.c.id, ids)).values(_FREE))
    return len(ids)
