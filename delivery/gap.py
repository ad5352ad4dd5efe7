"""Messages of which nobody knows whether they went out: those that were due between a backup and its restore.

The restored ledger says `due`; the ledger that was lost may have said `sent`. Counting them is for whoever decides;
skipping them ends them for good, with a reason of their own.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from core.vault import Vault
from customers.log import append_events
from customers.workspace import Workspace
from delivery.envelope import MessageRow
from delivery.message_log import message_event
from delivery.policy import Reason
from delivery.tables import MessageStatus, message

_OPEN = [MessageStatus.DUE, MessageStatus.CLAIMED]


def due_in_gap(since: datetime, until: datetime) -> ColumnElement[bool]:
    """Whether a message was due, or being sent, between the backup at `since` and the restore at `until`."""
    due = and_(message.c.status.in_(_OPEN), message.c.due_at <= until)
    # Broken off by the backup: the second call that housekeeping allows a transactional message counts from later.
    begun = and_(message.c.status.in_(_OPEN), message.c.sending_at <= since)
    calling = and_(message.c.status == MessageStatus.SENDING, message.c.sending_at <= since)
    return or_(due, begun, calling)


def count_due_in_gap(connection: Connection, since: datetime, until: datetime) -> Counter[tuple[str, str]]:
    """How many messages of each origin (kind, name)."""
    query = (
        select(message.c.origin_kind, message.c.origin, func.count())
        .where(due_in_gap(since, until))
        .group_by(message.c.origin_kind, message.c.origin)
    )
    return Counter({(kind, origin): count for kind, origin, count in connection.execute(query)})


def skip_due_in_gap(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    since: datetime,
    until: datetime,
    now: datetime,
    *,
    limit: int,
    where: ColumnElement[bool] | None = None,
) -> list[MessageRow]:
    """End up to `limit` of them, further narrowed by `where`, and log it as of `now`; answers those that ended."""
    wanted = due_in_gap(since, until) if where is None else and_(due_in_gap(since, until), where)
    ids = connection.scalars(select(message.c.id).where(wanted).order_by(message.c.id).limit(limit)).all()
    if not ids:
        return []
    is_calling = message.c.status == MessageStatus.SENDING
    unknown = connection.execute(
        update(message)
        .where(message.c.id.in_(ids), is_calling)
        .values(status=MessageStatus.UNKNOWN, ended_at=now)
        .returning(*message.c)
    ).all()
    skipped = connection.execute(
        update(message)
        .where(message.c.id.in_(ids), message.c.status.in_(_OPEN))
        .values(status=MessageStatus.SKIPPED, reason=Reason.RESTORED, ended_at=now)
        .returning(*message.c)
    ).all()
    events = [message_event("message_unknown", row, now) for row in unknown]
    events += [message_event("message_skipped", row, now, reason=Reason.RESTORED) for row in skipped]
    append_events(connection, vault, workspace, events, now)
    return [*unknown, *skipped]
