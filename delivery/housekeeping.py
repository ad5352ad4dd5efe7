"""Putting the send ledger in order: messages whose outcome will not come any more, and a look at how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, select

from core.runtime import Runtime
from core.vault import Vault
from customers.log import append_events
from customers.workspace import get_workspace
from delivery.ledger import settle_stuck
from delivery.message_log import message_event
from delivery.pauses import find_pauses
from delivery.tables import MessageStatus, message

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """How the ledger stands. `ended` counts what ended within a day, by status; `pauses` has scope and cause."""

    settled_count: int
    overdue_count: int
    waiting_count: int
    ended: Mapping[str, int]
    pauses: Mapping[str, str]


def keep_house(runtime: Runtime) -> LedgerState:
    """Settle what is stuck and tell the log of it; answers how the ledger stands after it."""
    now = runtime.clock.now()
    with runtime.database.transaction() as connection:
        settled_count = settle_broken_off(connection, runtime.vault, now)
    with runtime.database.read() as connection:
        return _look(connection, settled_count, now)


def settle_broken_off(connection: Connection, vault: Vault, now: datetime) -> int:
    """Settle the messages whose sending died ten minutes ago; answers how many marketing messages became unknown."""
    settled = settle_stuck(connection, now)
    if settled:
        events = [message_event("message_unknown", row, now) for row in settled]
        append_events(connection, vault, get_workspace(connection), events, now)
    return len(settled)


def has_due(connection: Connection, now: datetime) -> bool:
    """Whether `claim_due` has anything to claim at `now`, pauses aside."""
    due = and_(message.c.status == MessageStatus.DUE, message.c.due_at <= now)
    lost = and_(message.c.status == MessageStatus.CLAIMED, message.c.lease_until <= now)
    return any(connection.execute(select(message.c.id).where(one).limit(1)).first() for one in (due, lost))


def _look(connection: Connection, settled_count: int, now: datetime) -> LedgerState:
    is_open = message.c.status.in_([MessageStatus.DUE, MessageStatus.CLAIMED])
    overdue = func.count().filter(message.c.due_at <= now - _MINUTE)
    open_count, overdue_count = connection.execute(select(func.count(), overdue).where(is_open)).one()
    ended = connection.execute(
        select(message.c.status, func.count()).where(message.c.ended_at > now - _DAY).group_by(message.c.status)
    )
    return LedgerState(
        settled_count,
        overdue_count,
        open_count - overdue_count,
        {row.status: row[1] for row in ended},
        find_pauses(connection, now),
    )
