"""Consent handles: the random numbers that unsubscribe links carry, and the address, channel and topic each stands for.

A handle outlives its message, because the right to be left alone does not end with a retention period; it says nothing
about the address but its blind index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches, upsert
from core.ids import random_token_id
from customers.ownership import survivor_of
from tracking.tables import consent_handle

_LOOKUP_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class HandleFor:
    """One message that needs a handle, and the address (by its lookup) that it is about to go to."""

    message_id: str
    lookup: str
    channel: str
    topic: str
    profile_id: int


@dataclass(frozen=True, slots=True)
class Handle:
    """What a handle stands for; `profile_id` is who stands for the person now, after merges."""

    handle: int
    lookup: str
    channel: str
    topic: str
    profile_id: int | None
    message_id: str | None


def ensure_handles(connection: Connection, messages: Sequence[HandleFor], now: datetime) -> dict[str, int]:
    """The handle of each message, made where there is none; a message has one, however often it is composed."""
    rows = [
        {
            "handle": random_token_id(),
            "lookup": item.lookup,
            "channel": item.channel,
            "topic": item.topic,
            "profile_id": item.profile_id,
            "message_id": item.message_id,
            "created_at": now,
        }
        for item in messages
    ]
    # Composed again after the address changed, the link binds the address it really goes to.
    upsert(connection, consent_handle, rows, key=["message_id"], update=["lookup"])
    found: dict[str, int] = {}
    for some in batches([item.message_id for item in messages], _LOOKUP_BATCH):
        query = select(consent_handle.c.message_id, consent_handle.c.handle)
        found.update(connection.execute(query.where(consent_handle.c.message_id.in_(some))).tuples().all())
    return found


def find_handle(connection: Connection, handle: int) -> Handle | None:
    row: Any = connection.execute(select(consent_handle).where(consent_handle.c.handle == handle)).one_or_none()
    if row is None:
        return None
    profile_id = survivor_of(connection, row.profile_id) if row.profile_id is not None else None
    return Handle(row.handle, row.lookup, row.channel, row.topic, profile_id, row.message_id)
