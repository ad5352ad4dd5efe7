"""What is known of single messages, for whoever asks why somebody did not get one. Nothing personal is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.errors import NotFoundError
from delivery.envelope import MessageRow
from delivery.holds import by_in_words
from delivery.pauses import EVERYTHING, find_pauses
from delivery.reason_words import why
from delivery.resend import Origin
from delivery.tables import MessageStatus, delivery_attempt, delivery_event, message

_WAITING = frozenset({MessageStatus.DUE, MessageStatus.CLAIMED})


@dataclass(frozen=True, slots=True)
class MessageAccount:
    """One message: its row, every call to the provider, every report, and in a sentence how it stands."""

    row: MessageRow
    attempts: Sequence[Any]
    events: Sequence[Any]
    why: str


def list_messages(
    connection: Connection,
    *,
    origin: Origin | None = None,
    profile_id: int | None = None,
    status: MessageStatus | None = None,
    reason: str | None = None,
    limit: int = 50,
) -> list[MessageRow]:
    """The newest messages that all of what is given holds for."""
    where = [origin.where] if origin else []
    for column, value in ((message.c.profile_id, profile_id), (message.c.status, status), (message.c.reason, reason)):
        if value is not None:
            where.append(column == value)
    newest = (message.c.created_at.desc(), message.c.id)
    return list(connection.execute(select(message).where(*where).order_by(*newest).limit(limit)))


def get_account(connection: Connection, message_id: str, now: datetime) -> MessageAccount:
    """Raises NotFoundError."""
    row = connection.execute(select(message).where(message.c.id == message_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no message {message_id!r}: see `postilion messages list`.")
    attempts = select(delivery_attempt).where(delivery_attempt.c.message_id == message_id)
    events = select(
        delivery_event.c.kind, delivery_event.c.sub_kind, delivery_event.c.occurred_at, delivery_event.c.received_at
    ).where(delivery_event.c.message_id == message_id)
    return MessageAccount(
        row,
        connection.execute(attempts.order_by(delivery_attempt.c.attempt_no)).all(),
        connection.execute(events.order_by(delivery_event.c.occurred_at, delivery_event.c.id)).all(),
        _why(row, find_pauses(connection, now), now),
    )


def _why(row: MessageRow, paused: dict[str, str], now: datetime) -> str:
    if row.status not in _WAITING:
        return why(row.status, row.reason)
    scopes = (EVERYTHING, f"channel:{row.channel}", f"sender:{row.sender}", f"{row.origin_kind}:{row.origin}")
    for scope in scopes:
        if scope in paused:
            return f"it waits, because {scope} is paused: {paused[scope]}"
    if row.due_at > now:
        held = f", held by {by_in_words(row.reason)}" if row.reason else ""
        return f"it waits until {row.due_at:%Y-%m-%d %H:%M} UTC{held}"
    return why(row.status, None)
