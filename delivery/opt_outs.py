"""Leaving text messages and calls: STOP ends all marketing to a number, and START takes back what a STOP of ours ended.

A withdrawal binds the number for the channels sms and voice, each as a whole. It is no suppression: a text about an
order still goes, as far as the provider lets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from customers.consent import WHOLE_CHANNEL, Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.log import NewEvent, append_own_events
from customers.tables import consent_entry
from delivery.message_log import SOURCE

CHANNELS = ("sms", "voice")
REPLY = "sms_reply"  # the source of what somebody wrote to us


def record_opt_out(
    connection: Connection,
    lookup: str,
    profile_id: int | None,
    *,
    key: str,
    source: str,
    at: datetime,
) -> bool:
    """Withdraw the number `lookup` from all marketing texts and calls; False when it had left already."""
    left = [
        channel
        for channel in CHANNELS
        if consent_of(connection, channel, WHOLE_CHANNEL, [lookup], at)[lookup] is not ConsentStatus.WITHDRAWN
        or _has_granted_since(connection, channel, lookup)
    ]
    entries = [
        NewConsent(
            lookup,
            channel,
            WHOLE_CHANNEL,
            ConsentStatus.WITHDRAWN,
            None,
            source,
            at,
            profile_id,
            f"{key}:{channel}",
        )
        for channel in left
    ]
    if not record_consents(connection, entries, at):
        return False
    names = [("consent_withdrawn", channel) for channel in left] + [("unsubscribed", "sms")] * ("sms" in left)
    _log(connection, names, WHOLE_CHANNEL, profile_id, key, source, at)
    return True


def take_back_opt_out(
    connection: Connection,
    lookup: str,
    profile_id: int | None,
    *,
    key: str,
    at: datetime,
) -> frozenset[str]:
    """Grant again, for text messages, what a STOP of ours ended; the topics, none where there was no such STOP.

    Only the last word counts: who left otherwise since, or never agreed, has to agree afresh.
    """
    history = list(
        connection.execute(
            select(consent_entry)
            .where(consent_entry.c.lookup == lookup, consent_entry.c.channel == "sms")
            .order_by(consent_entry.c.occurred_at, consent_entry.c.id)
        )
    )
    if not history or history[-1].source != REPLY or history[-1].topic != WHOLE_CHANNEL:
        return frozenset()
    stop = history[-1]
    if stop.status != ConsentStatus.WITHDRAWN:
        return frozenset()
    topics = _granted_before(history[:-1], at)
    entries = [
        NewConsent(
            lookup, "sms", topic, ConsentStatus.GRANTED, Basis.OPT_IN, REPLY, at, profile_id, f"{key}:start:{topic}"
        )
        for topic in sorted(topics)
    ]
    if record_consents(connection, entries, at):
        for topic in sorted(topics):
            names = [("consent_granted", "sms")]
            _log(connection, names, topic, profile_id, f"{key}:{topic}", REPLY, at)
    return frozenset(topics)


def _granted_before(history: Iterable[Row[Any]], at: datetime) -> set[str]:
    """The topics that were granted at the end of `history`, and whose grant still lasts at `at`."""
    granted: set[str] = set()
    for entry in history:
        if entry.status == ConsentStatus.WITHDRAWN:
            granted = set() if entry.topic == WHOLE_CHANNEL else granted - {entry.topic}
        elif entry.expires_at is None or entry.expires_at > at:
            granted.add(entry.topic)
    return granted


def _has_granted_since(connection: Connection, channel: str, lookup: str) -> bool:
    """Whether a topic of the channel was granted after the channel as a whole was left."""
    columns = consent_entry.c
    mine = (columns.lookup == lookup, columns.channel == channel)
    left_at = (
        select(columns.occurred_at)
        .where(*mine, columns.topic == WHOLE_CHANNEL, columns.status == ConsentStatus.WITHDRAWN.value)
        .order_by(columns.occurred_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    later = select(columns.key).where(
        *mine, columns.status == ConsentStatus.GRANTED.value, columns.occurred_at > left_at
    )
    return connection.execute(later.limit(1)).first() is not None


def _log(
    connection: Connection,
    names: Iterable[tuple[str, str]],
    topic: str,
    profile_id: int | None,
    key: str,
    source: str,
    at: datetime,
) -> None:
    if profile_id is None:
        return
    events = [
        NewEvent(
            name,
            at,
            SOURCE,
            f"{name}:{key}:{channel}",
            profile_id,
            {"channel": channel, "topic": topic, "source": source},
        )
        for name, channel in names
    ]
    append_own_events(connection, events, at)
