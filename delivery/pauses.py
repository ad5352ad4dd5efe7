"""What is stopped for now and why: everything, a channel, a sender, a campaign or a journey.

A pause without an end stands until somebody lifts it. One that has an end never shortens one that has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, or_, select

from core.database import upsert
from core.errors import InputError
from delivery.tables import pause as pause_table

EVERYTHING = "everything"
BY_HAND = "stopped by hand"
_KINDS = ("channel", "sender", "campaign", "journey", "api", "webhook")
_MAX_CAUSE = 300


@dataclass(frozen=True, slots=True)
class Pause:
    """Something that stands still; `until` is None where somebody has to lift it."""

    scope: str
    cause: str
    since: datetime
    until: datetime | None = None

    @property
    def command(self) -> str:
        """What lifts it."""
        return f"postilion pauses --resume {self.scope}"


def check_scope(scope: str) -> str:
    """`scope` as it is, or an InputError that says how scopes are written."""
    kind, _, name = scope.partition(":")
    if scope != EVERYTHING and (kind not in _KINDS or not name):
        known = f"{EVERYTHING}, or a name behind {', '.join(_KINDS)}"
        raise InputError(f"{scope!r} cannot be paused: write {known}, such as channel:sms.")
    return scope


def pause(connection: Connection, scope: str, cause: str, now: datetime, until: datetime | None = None) -> bool:
    """Stop `scope` ("everything", "channel:email", "sender:shop", "campaign:x", "journey:x") with a visible cause.

    Answers whether it was going until now.
    """
    standing = _find(connection, scope)
    is_new = standing is None or not _lasts(standing, now)
    if standing is not None and not is_new and standing.until is None and until is not None:
        return False  # nobody has lifted it yet
    since = now if standing is None or is_new else standing.since
    row = {"scope": scope, "cause": cause[:_MAX_CAUSE], "since": since, "until": until}
    upsert(connection, pause_table, [row], key=["scope"], update=["cause", "since", "until"])
    return is_new


def resume(connection: Connection, scope: str) -> bool:
    """Let `scope` go on; False when it was not paused."""
    return connection.execute(delete(pause_table).where(pause_table.c.scope == scope)).rowcount == 1


def list_pauses(connection: Connection, now: datetime) -> list[Pause]:
    """What is paused at `now`, by scope."""
    rows = connection.execute(select(pause_table).where(_is_lasting(now)).order_by(pause_table.c.scope))
    return [Pause(row.scope, row.cause, row.since, row.until) for row in rows]


def find_pauses(connection: Connection, now: datetime) -> dict[str, str]:
    """What is paused at `now`: scope to cause."""
    return {one.scope: one.cause for one in list_pauses(connection, now)}


def _find(connection: Connection, scope: str) -> Pause | None:
    row = connection.execute(select(pause_table).where(pause_table.c.scope == scope)).one_or_none()
    return None if row is None else Pause(row.scope, row.cause, row.since, row.until)


def _is_lasting(now: datetime) -> ColumnElement[bool]:
    return or_(pause_table.c.until.is_(None), pause_table.c.until > now)


def _lasts(standing: Pause, now: datetime) -> bool:
    return standing.until is None or standing.until > now
