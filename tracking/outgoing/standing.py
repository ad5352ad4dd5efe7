"""How it stands with every webhook, for whoever looks after them, and going on from another place of the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, func, select

from core.cursors import Position, behind, latest_position
from customers.tables import customer_event
from customers.workspace import Workspace
from delivery.pauses import EVERYTHING, find_pauses
from tracking.outgoing.endpoints import find_state, move_to, scope_of

_COUNTED: Final = 100_000  # more are not counted, because counting reads them


class EndpointWord(StrEnum):
    NEW = "new"  # never looked at: is `postilion up` running?
    FINE = "fine"
    FAILING = "failing"  # tried again by itself
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Standing:
    """`waiting` counts events of the log that were not looked at yet, wanted or not, up to 100,000."""

    name: str
    word: EndpointWord
    cause: str = ""
    event_count: int = 0
    waiting: int = 0
    delivered_at: datetime | None = None
    retry_at: datetime | None = None
    failing_since: datetime | None = None


def list_standings(connection: Connection, workspace: Workspace, now: datetime) -> list[Standing]:
    """Those of workspace.yaml, in its order."""
    pauses = find_pauses(connection, now)
    return [_standing(connection, name, pauses) for name in workspace.webhooks]


def send_from(connection: Connection, name: str, since: datetime | None) -> int:
    """Go on with what came in from `since` on, None for what comes from now on; answers how much of the log that is."""
    position = latest_position(connection, customer_event) if since is None else _before(connection, since)
    move_to(connection, name, position)
    return _count_behind(connection, position)


def _standing(connection: Connection, name: str, pauses: dict[str, str]) -> Standing:
    paused = pauses.get(scope_of(name)) or pauses.get(EVERYTHING)
    state = find_state(connection, name)
    if state is None:
        return Standing(name, EndpointWord.PAUSED if paused else EndpointWord.NEW, paused or "")
    word = EndpointWord.PAUSED if paused else EndpointWord.FAILING if state.attempt_count else EndpointWord.FINE
    return Standing(
        name,
        word,
        paused or state.cause or "",
        state.event_count,
        _count_behind(connection, state.position),
        state.delivered_at,
        state.retry_at,
        state.failing_since,
    )


def _before(connection: Connection, since: datetime) -> Position:
    """The place behind the last event that came in before `since`, of those in the order of commits."""
    event = customer_event.c
    order = (event.transaction_no, event.id)
    first = select(*order).where(event.received_at >= since).order_by(*order).limit(1)
    row = connection.execute(first).one_or_none()
    return latest_position(connection, customer_event) if row is None else Position(row.transaction_no, row.id - 1)


def _count_behind(connection: Connection, position: Position) -> int:
    event = customer_event.c
    some = select(event.id).where(behind(connection, customer_event, position)).limit(_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
