"""How a message of the transactional API stands, and taking it back while nobody has called the provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, or_, select, update

from core.errors import ConflictError, NotFoundError
from delivery.policy import Reason
from delivery.tables import MessageStatus, OriginKind, delivery_attempt, message

_SAFE = "retry"  # the one outcome of a call after which the provider certainly has nothing


def get_status(connection: Connection, message_id: str) -> dict[str, Any]:
    """The message as `GET /v1/messages/{id}` tells it, without anything personal. Raises NotFoundError."""
    row = _get(connection, message_id)
    attempts = connection.execute(
        select(delivery_attempt)
        .where(delivery_attempt.c.message_id == message_id)
        .order_by(delivery_attempt.c.attempt_no)
    )
    return {
        "id": row.id,
        "template": row.template,
        "channel": row.channel,
        "status": row.status,
        "reason": row.reason,
        "detail": row.detail,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "sent_at": row.sent_at,
        "delivered_at": row.delivered_at,
        "bounced_at": row.bounced_at,
        "complained_at": row.complained_at,
        "attempts": [
            {
                "number": one.attempt_no,
                "started_at": one.started_at,
                "finished_at": one.finished_at,
                "outcome": one.outcome,
                "error": one.error_code,
            }
            for one in attempts
        ],
    }


def cancel(connection: Connection, message_id: str, now: datetime) -> None:
    """Take the message back; again does nothing. Raises NotFoundError, or ConflictError when it may have gone out."""
    perhaps_sent = exists().where(
        delivery_attempt.c.message_id == message_id,
        or_(delivery_attempt.c.outcome.is_(None), delivery_attempt.c.outcome != _SAFE),
    )
    cancelled = connection.execute(
        update(message)
        .where(
            message.c.id == message_id,
            message.c.origin_kind == OriginKind.API,
            message.c.status == MessageStatus.DUE,
            ~perhaps_sent,
        )
        .values(status=MessageStatus.CANCELLED, reason=Reason.STOPPED, ended_at=now)
    )
    if cancelled.rowcount:
        return
    row = _get(connection, message_id)
    if row.status == MessageStatus.CANCELLED:
        return
    raise ConflictError(f"it cannot be taken back any more: it is {_told(row.status)}.")


def _told(status: str) -> str:
    return "due for the second time, and the first call may have sent it" if status == MessageStatus.DUE else status


def _get(connection: Connection, message_id: str) -> Any:
    mine = (message.c.id == message_id, message.c.origin_kind == OriginKind.API)
    row = connection.execute(select(message).where(*mine)).one_or_none()
    if row is None:
        raise NotFoundError("the transactional API knows no such message.")
    return row
