"""What happened to a message, as events in the customer log, where journeys, segments and reports read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from customers.log import NewEvent, append_own_events
from delivery.envelope import MessageRow
from delivery.house_rules import digest_of
from delivery.ledger import Ending, Outcome
from delivery.tables import MessageStatus

SOURCE = "delivery"
_EVENTS = {
    MessageStatus.SENT: "message_sent",
    MessageStatus.UNKNOWN: "message_unknown",
    MessageStatus.FAILED: "message_failed",
    MessageStatus.SKIPPED: "message_skipped",
}


def log_endings(
    connection: Connection, endings: Sequence[Ending], rows: Mapping[str, MessageRow], now: datetime
) -> None:
    """Log what ended without a call; a held message has not ended."""
    events = [
        message_event(
            _EVENTS[ending.status], rows[ending.message_id], now, reason=ending.reason, more=ending.properties
        )
        for ending in endings
        if ending.until is None
    ]
    append_own_events(connection, events, now)


def log_outcomes(
    connection: Connection, outcomes: Sequence[Outcome], rows: Mapping[str, MessageRow], now: datetime
) -> None:
    """Log what calls came to; a message that is due again has not ended."""
    events = [
        message_event(_EVENTS[item.status], rows[item.message_id], now, reason=item.error_code)
        for item in outcomes
        if item.until is None
    ]
    append_own_events(connection, events, now)


def message_event(
    name: str,
    row: MessageRow,
    occurred_at: datetime,
    *,
    reason: str | None = None,
    key: str = "",
    more: Mapping[str, str] | None = None,
) -> NewEvent:
    """The event `name` about a message, with what conditions and reports ask for."""
    properties: dict[str, Any] = {
        **(more or {}),
        "message_id": row.id,
        "channel": row.channel,
        "origin_kind": row.origin_kind,
        "origin": row.origin,
        "origin_id": row.origin_id,
        "step": row.step,
        "variant": row.variant,
        "topic": row.topic,
    }
    if reason:
        properties["reason"] = reason
    if policy := digest_of(row):
        properties["policy"] = policy
    return NewEvent(
        name=name,
        occurred_at=occurred_at,
        source=SOURCE,
        key=key or f"{name}:{row.id}",
        profile_id=row.profile_id,
        properties={name: value for name, value in properties.items() if value is not None},
    )
