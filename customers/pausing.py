"""A pause from marketing that somebody asked for and that ends by itself, by address and channel.

It stands in the consent history as a grant that runs out, of the channel `pause.<channel>` for everything on it: so it
moves with merges and rotated keys, and is in the copy that people get of their data. Ending it early withdraws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core.clock import to_micros
from customers.consent import WHOLE_CHANNEL, Basis, ConsentStatus, NewConsent, consent_of
from customers.tables import consent_entry

PREFIX = "pause."
LENGTH = timedelta(days=30)


def find_paused(connection: Connection, channel: str, lookups: Sequence[str], now: datetime) -> frozenset[str]:
    """Those of `lookups` that want no marketing on `channel` at the moment."""
    states = consent_of(connection, f"{PREFIX}{channel}", WHOLE_CHANNEL, lookups, now)
    return frozenset(lookup for lookup, state in states.items() if state is ConsentStatus.GRANTED)


def paused_until(connection: Connection, channel: str, lookup: str, now: datetime) -> datetime | None:
    """When the pause of one address ends; None while there is none."""
    if lookup not in find_paused(connection, channel, [lookup], now):
        return None
    entry = consent_entry.c
    granted = (entry.status == ConsentStatus.GRANTED.value) & (entry.expires_at > now)
    query = select(entry.expires_at).where(entry.lookup == lookup, entry.channel == f"{PREFIX}{channel}", granted)
    until: datetime = connection.execute(query.order_by(entry.occurred_at.desc()).limit(1)).scalar_one()
    return until


def pause(lookup: str, channel: str, profile_id: int | None, source: str, at: datetime) -> NewConsent:
    """The entry that begins a pause of 30 days."""
    return _entry(lookup, channel, profile_id, ConsentStatus.GRANTED, source, at)


def resume(lookup: str, channel: str, profile_id: int | None, source: str, at: datetime) -> NewConsent:
    """The entry that ends a pause early."""
    return _entry(lookup, channel, profile_id, ConsentStatus.WITHDRAWN, source, at)


def _entry(
    lookup: str, channel: str, profile_id: int | None, status: ConsentStatus, source: str, at: datetime
) -> NewConsent:
    is_pause = status is ConsentStatus.GRANTED
    return NewConsent(
        lookup=lookup,
        channel=f"{PREFIX}{channel}",
        topic=WHOLE_CHANNEL,
        status=status,
        basis=Basis.OPT_IN if is_pause else None,
        source=source,
        occurred_at=at,
        profile_id=profile_id,
        key=f"{source}:{PREFIX}{channel}:{lookup}:{status}:{to_micros(at)}",
        expires_at=at + LENGTH if is_pause else None,
    )
