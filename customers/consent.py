"""What people agreed to: an append-only history, and the state that follows from it.

The state of (address, channel, topic) is its latest entry among those for the topic and those for the whole channel
("*"); at the same instant a withdrawal wins, and a grant that has run out counts as unknown. So a channel-wide
withdrawal beats every older grant of a topic, in whatever order the entries arrive. An address is named by its lookup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from core.database import batches, insert_ignore
from customers.tables import consent_entry

WHOLE_CHANNEL = "*"

_LOOKUP_BATCH = 5_000


class ConsentStatus(StrEnum):
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """Why a grant is lawful."""

    OPT_IN = "opt_in"
    DOUBLE_OPT_IN = "double_opt_in"
    SOFT_OPT_IN = "soft_opt_in"
    CASL_IMPLIED = "casl_implied"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class NewConsent:
    """One grant or withdrawal. `key` names what happened, so that recording it twice changes nothing."""

    lookup: str
    channel: str
    topic: str
    status: ConsentStatus
    basis: Basis | None
    source: str
    occurred_at: datetime
    profile_id: int | None
    key: str
    text_version: str | None = None
    expires_at: datetime | None = None


def record_consents(connection: Connection, entries: Sequence[NewConsent], now: datetime) -> frozenset[str]:
    """Append `entries`, passing over those whose key is there; answers the keys that were new."""
    rows = [
        {
            "key": entry.key,
            "lookup": entry.lookup,
            "profile_id": entry.profile_id,
            "channel": entry.channel,
            "topic": entry.topic,
            "status": entry.status.value,
            "basis": entry.basis.value if entry.basis else None,
            "source": entry.source,
            "text_version": entry.text_version,
            "occurred_at": entry.occurred_at,
            "recorded_at": now,
            "expires_at": entry.expires_at,
        }
        for entry in entries
    ]
    return frozenset(key for (key,) in insert_ignore(connection, consent_entry, rows, returning=["key"]))


@dataclass(frozen=True, slots=True)
class ImportedConsents:
    """Keys of the entries that were new, and of the grants that were refused because the last word was no."""

    new: frozenset[str]
    denied: frozenset[str]


def import_consents(connection: Connection, entries: Sequence[NewConsent], now: datetime) -> ImportedConsents:
    """`record_consents` for what a file says, which never turns denied into granted.

    Withdrawals are recorded first. A grant is recorded only where the state is not withdrawn, whatever its own instant:
    a fresh opt-in has to reach us otherwise than by a file.
    """
    withdrawals = [entry for entry in entries if entry.status is not ConsentStatus.GRANTED]
    grants = [entry for entry in entries if entry.status is ConsentStatus.GRANTED]
    new = record_consents(connection, withdrawals, now)
    allowed = []
    for channel, topic in sorted({(entry.channel, entry.topic) for entry in grants}):
        those = [entry for entry in grants if (entry.channel, entry.topic) == (channel, topic)]
        states = consent_of(connection, channel, topic, [entry.lookup for entry in those], now)
        allowed += [entry for entry in those if states[entry.lookup] is not ConsentStatus.WITHDRAWN]
    new |= record_consents(connection, allowed, now)
    denied = frozenset(entry.key for entry in grants).difference(entry.key for entry in allowed)
    return ImportedConsents(new, denied)


def consent_of(
    connection: Connection, channel: str, topic: str, lookups: Sequence[str], now: datetime
) -> dict[str, ConsentStatus]:
    """The state of each of `lookups`; one without a history is unknown."""
    states = dict.fromkeys(lookups, ConsentStatus.UNKNOWN)
    history = _history(channel, topic).add_columns(_state(now))
    for some in batches(list(states), _LOOKUP_BATCH):
        for lookup, state in connection.execute(history.where(consent_entry.c.lookup.in_(some))):
            states[lookup] = ConsentStatus(state)
    return states


def granted_lookups(channel: str, topic: str, now: datetime) -> Select[tuple[str]]:
    """Every address that may be written to about `topic`, as a query to be used inside others."""
    return _history(channel, topic).having(_state(now) == ConsentStatus.GRANTED.value)


def denied_lookups(channel: str, topic: str, now: datetime) -> Select[tuple[str]]:
    """Every address whose last word about `topic` was no, as a query to be used inside others."""
    return _history(channel, topic).having(_state(now) == ConsentStatus.WITHDRAWN.value)


def _history(channel: str, topic: str) -> Select[tuple[str]]:
    entry = consent_entry.c
    relevant = and_(entry.channel == channel, entry.topic.in_(sorted({topic, WHOLE_CHANNEL})))
    return select(entry.lookup).where(relevant).group_by(entry.lookup)


def _state(now: datetime) -> ColumnElement[str]:
    """The state of one address, over the group of its entries."""
    entry = consent_entry.c
    granted = entry.status == ConsentStatus.GRANTED.value
    lasting = or_(entry.expires_at.is_(None), entry.expires_at > now)
    last_grant = func.max(case((granted, entry.occurred_at)))
    last_lasting_grant = func.max(case((and_(granted, lasting), entry.occurred_at)))
    last_withdrawal = func.max(case((entry.status == ConsentStatus.WITHDRAWN.value, entry.occurred_at)))
    return case(
        (and_(last_withdrawal.is_not(None), last_grant.is_(None)), ConsentStatus.WITHDRAWN.value),
        (last_withdrawal >= last_grant, ConsentStatus.WITHDRAWN.value),
        (last_lasting_grant == last_grant, ConsentStatus.GRANTED.value),
        else_=ConsentStatus.UNKNOWN.value,
    )
