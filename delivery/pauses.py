"""What is stopped for now and why: everything, a channel, a sender, a campaign or a journey."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, or_, select

from core.database import upsert
from core.errors import InputError
from delivery.tables import pause as pause_table

EVERYTHING = "everything"
_KINDS = ("channel", "sender", "campaign", "journey")


def check_scope(scope: str) -> str:
    """`scope` as it is, or an InputError that says how scopes are written."""
    kind, _, name = scope.partition(":")
    if scope != EVERYTHING and (kind not in _KINDS or not name):
        known = f"{EVERYTHING}, or a name behind {', '.join(_KINDS)}"
        raise InputError(f"{scope!r} cannot be paused: write {known}, such as channel:sms.")
    return scope


def pause(connection: Connection, scope: str, cause: str, now: datetime, until: datetime | None = None) -> None:
    """Stop `scope` ("everything", "channel:email", "sender:shop", "campaign:x", "journey:x") with a visible cause."""
    row = {"scope": scope, "cause": cause[:300], "since": now, "until": until}
    upsert(connection, pause_table, [row], key=["scope"], update=["cause", "until"])


def resume(connection: Connection, scope: str) -> bool:
    """Let `scope` go on; False when it was not paused."""
    return connection.execute(delete(pause_table).where(pause_table.c.scope == scope)).rowcount == 1


def find_pauses(connection: Connection, now: datetime) -> dict[str, str]:
    """What is paused at `now`: scope to cause."""
    rows = connection.execute(
        select(pause_table.c.scope, pause_table.c.cause).where(
            or_(pause_table.c.until.is_(None), pause_table.c.until > now)
        )
    )
    return {row.scope: row.cause for row in rows}
