"""The entrance of the ledger: a message is written here, by whoever causes it and in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from core.database import insert_ignore
from core.ids import random_token_id
from core.vault import Vault
from delivery.tables import MessageKind, MessageStatus, OriginKind, message


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One intention to reach one profile once over one channel.

    `id` is derived from its cause (`core.ids.derived_id`). `context` is what composing needs beside the profile and is
    sealed; `policy` is plain: what campaign or journey say of hours and limits (see delivery/house_rules.py).
    """

    id: str
    profile_id: int
    channel: str
    topic: str
    template: str
    origin_kind: OriginKind
    origin: str
    origin_id: str
    due_at: datetime
    kind: MessageKind = MessageKind.MARKETING
    sender: str | None = None
    step: str | None = None
    variant: str | None = None
    decision_id: str | None = None
    priority: int = 50
    expires_at: datetime | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)


def enqueue(connection: Connection, vault: Vault, messages: Sequence[NewMessage], now: datetime) -> int:
    """Write messages into the ledger; those that are there already stay as they are. Answers how many were new."""
    vault.prepare(item.profile_id for item in messages if item.context)
    rows = [
        {
            "id": item.id,
            "kind": item.kind,
            "channel": item.channel,
            "profile_id": item.profile_id,
            "topic": item.topic,
            "template": item.template,
            "sender": item.sender,
            "origin_kind": item.origin_kind,
            "origin": item.origin,
            "origin_id": item.origin_id,
            "step": item.step,
            "variant": item.variant,
            "decision_id": item.decision_id,
            "priority": item.priority,
            "context": (
                vault.seal_document(item.profile_id, "message.context", item.context) if item.context else None
            ),
            "policy": dict(item.policy),
            "status": MessageStatus.DUE,
            "due_at": item.due_at,
            "first_due_at": item.due_at,
            "expires_at": item.expires_at,
            "attempt_count": 0,
            "token_id": random_token_id(),
            "created_at": now,
        }
        for item in messages
    ]
    return len(insert_ignore(connection, message, rows, returning=["id"]))


def cancel_messages(connection: Connection, origin_id: str, now: datetime, reason: str) -> int:
    """Cancel what a launch or an enrolment has not begun to send; a claimed message is left to its claimer."""
    cancelled = connection.execute(
        update(message)
        .where(message.c.origin_id == origin_id, message.c.status == MessageStatus.DUE)
        .values(status=MessageStatus.CANCELLED, reason=reason, ended_at=now)
    )
    return cancelled.rowcount


def skip_due(connection: Connection, reasons: Mapping[str, str], now: datetime) -> None:
    """End messages (id to reason) as skipped before anybody has claimed them."""
    if not reasons:
        return
    connection.execute(
        update(message)
        .where(message.c.id == bindparam("b_id"), message.c.status == MessageStatus.DUE)
        .values(status=MessageStatus.SKIPPED, reason=bindparam("b_reason"), ended_at=now),
        [{"b_id": message_id, "b_reason": reason} for message_id, reason in reasons.items()],
    )
