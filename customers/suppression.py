"""Stops on an address, with their reason: it bounced, its owner complained, opted out, or somebody here decided so.

A stop binds the address (by its lookup), whoever shares it. Whether a message goes out is decided in delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from core.database import batches, insert_ignore
from customers.tables import suppression

_LOOKUP_BATCH = 5_000


class SuppressionReason(StrEnum):
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPTED_OUT = "opted_out"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class NewSuppression:
    channel: str
    lookup: str
    reason: str
    source: str
    occurred_at: datetime


def suppress(connection: Connection, channel: str, lookup: str, reason: str, source: str, at: datetime) -> bool:
    """Stop an address; the first reason stays. Answers whether it is new."""
    return suppress_all(connection, [NewSuppression(channel, lookup, reason, source, at)]) == 1


def suppress_all(connection: Connection, stops: Sequence[NewSuppression], *, batch_id: int | None = None) -> int:
    """Stop many addresses; answers how many are new. `batch_id` is the import that says so."""
    rows = [
        {
            "channel": stop.channel,
            "lookup": stop.lookup,
            "reason": SuppressionReason(stop.reason).value,
            "source": stop.source,
            "occurred_at": stop.occurred_at,
            "batch_id": batch_id,
        }
        for stop in stops
    ]
    return len(insert_ignore(connection, suppression, rows, returning=["lookup"]))


def find_suppressed(connection: Connection, channel: str, lookups: Sequence[str]) -> dict[str, str]:
    """The reason of each of `lookups` that is stopped on `channel`; the others are missing from the answer."""
    query = select(suppression.c.lookup, suppression.c.reason).where(suppression.c.channel == channel)
    found: dict[str, str] = {}
    for some in batches(list(dict.fromkeys(lookups)), _LOOKUP_BATCH):
        found.update(connection.execute(query.where(suppression.c.lookup.in_(some))).tuples().all())
    return found
