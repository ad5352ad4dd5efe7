"""What people agreed to: an append-only history, and the state that follows from it.

The state of (address, channel, topic) follows from its entries for the topic and for the whole channel ("*"): granted
while a grant that came after the last withdrawal lasts, withdrawn where none came after it, unknown where those have
run out. At the same instant a withdrawal wins. So a channel-wide withdrawal beats every older grant of a topic, in
whatever order the entries arrive, and a weaker grant never shortens a stronger one. An address is named by its lookup.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from core.bulk import among, insert_missing
from core.clock import to_micros
from core.database import batches
from core.durations import Duration, add_calendar
from core.errors import InputError
from customers.tables import IdentityKind, consent_entry, identity
from customers.touches import touch

WHOLE_CHANNEL = "*"
# Canada's anti-spam law (S.C. 2010, c. 23), section 10(10): an existing business relationship lasts two years after a
# purchase and six months after an inquiry. Who does not say that there was a purchase is given the shorter time.
CASL_IMPLIED_LASTS = Duration(months=6)

_ADDRESSES = (IdentityKind.EMAIL.value, IdentityKind.PHONE.value)
_LOOKUP_BATCH = 5_000
_COLUMNS = (
    *("key", "lookup", "profile_id", "channel", "topic", "status", "basis", "source", "text_version"),
    *("occurred_at", "recorded_at", "expires_at", "batch_id"),
)
_UTC = ZoneInfo("UTC")


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


def record_consents(
    connection: Connection, entries: Sequence[NewConsent], now: datetime, *, batch_id: int | None = None
) -> frozenset[str]:
    """Append `entries`, passing over those whose key is there; answers the keys that were new.

    Nobody can have agreed tomorrow: an instant after `now` becomes `now`, else no withdrawal would reach it until then.
    An implied grant under Canada's law that names no end gets one. Raises InputError for a grant without a basis.
    `batch_id` is the import that says so.
    """
    recorded_at = to_micros(now)
    rows = [
        (
            entry.key,
            entry.lookup,
            entry.profile_id,
            entry.channel,
            entry.topic,
            entry.status.value,
            entry.basis.value if entry.basis else None,
            entry.source,
            entry.text_version,
            to_micros(min(entry.occurred_at, now)),
            recorded_at,
            None if (end := _end_of(entry, now)) is None else to_micros(end),
            batch_id,
        )
        for entry in entries
    ]
    new = frozenset(insert_missing(connection, consent_entry, _COLUMNS, rows, key="key"))
    _touch_owners(connection, {entry.lookup for entry in entries if entry.key in new})
    return new


def _touch_owners(connection: Connection, lookups: Collection[str]) -> None:
    """Whoever shares an address shares what was said of it; the log tells of one person only."""
    owners: set[int] = set()
    for some in batches(sorted(lookups), _LOOKUP_BATCH):
        query = select(identity.c.profile_id).where(identity.c.kind.in_(_ADDRESSES))
        owners.update(connection.scalars(query.where(among(connection, identity.c.lookup, some))))
    touch(connection, owners)


def _end_of(entry: NewConsent, now: datetime) -> datetime | None:
    """When a grant runs out; None for one without an end, and for a withdrawal, which has none."""
    if entry.status is not ConsentStatus.GRANTED:
        return None
    if entry.basis is None:
        known = ", ".join(Basis)
        raise InputError(f"a grant for {entry.channel}.{entry.topic} does not say why it is lawful: write {known}.")
    if entry.basis is Basis.CASL_IMPLIED and entry.expires_at is None:
        return add_calendar(min(entry.occurred_at, now), CASL_IMPLIED_LASTS, _UTC)
    return entry.expires_at


@dataclass(frozen=True, slots=True)
class ImportedConsents:
    """Keys of the entries that were new, and of the grants that were refused because the last word was no."""

    new: frozenset[str]
    denied: frozenset[str]


def import_consents(
    connection: Connection, entries: Sequence[NewConsent], now: datetime, *, batch_id: int | None = None
) -> ImportedConsents:
    """`record_consents` for what a file says, which never turns denied into granted.

    Withdrawals are recorded first. A grant is recorded only where the state is not withdrawn, whatever its own instant:
    a fresh opt-in has to reach us otherwise than by a file. A grant for the whole channel would reach every topic of
    it, so that one topic which is withdrawn refuses it.
    """
    withdrawals = [entry for entry in entries if entry.status is not ConsentStatus.GRANTED]
    grants = [entry for entry in entries if entry.status is ConsentStatus.GRANTED]
    new = record_consents(connection, withdrawals, now, batch_id=batch_id)
    allowed = []
    for channel, topic in sorted({(entry.channel, entry.topic) for entry in grants}):
        those = [entry for entry in grants if (entry.channel, entry.topic) == (channel, topic)]
        lookups = [entry.lookup for entry in those]
        topics = _topics_of(connection, channel, lookups) if topic == WHOLE_CHANNEL else {topic}
        denied_to = _denied(connection, channel, topics | {topic}, lookups, now)
        allowed += [entry for entry in those if entry.lookup not in denied_to]
    new |= record_consents(connection, allowed, now, batch_id=batch_id)
    denied = frozenset(entry.key for entry in grants).difference(entry.key for entry in allowed)
    return ImportedConsents(new, denied)


def _topics_of(connection: Connection, channel: str, lookups: Sequence[str]) -> set[str]:
    """Every topic that one of `lookups` ever said something about."""
    topics: set[str] = set()
    query = select(consent_entry.c.topic).where(consent_entry.c.channel == channel).distinct()
    for some in batches(list(dict.fromkeys(lookups)), _LOOKUP_BATCH):
        topics.update(connection.execute(query.where(consent_entry.c.lookup.in_(some))).scalars())
    return topics


def _denied(
    connection: Connection, channel: str, topics: Iterable[str], lookups: Sequence[str], now: datetime
) -> set[str]:
    """Those of `lookups` whose last word about one of `topics` was no."""
    return {
        lookup
        for topic in sorted(topics)
        for lookup, state in consent_of(connection, channel, topic, lookups, now).items()
        if state is ConsentStatus.WITHDRAWN
    }


def consent_of(
    connection: Connection, channel: str, topic: str, lookups: Sequence[str], now: datetime
) -> dict[str, ConsentStatus]:
    """The state of each of `lookups`; one without a history is unknown."""
    states = dict.fromkeys(lookups, ConsentStatus.UNKNOWN)
    history = _history(channel, topic).add_columns(_state(now))
    for some in batches(list(states), _LOOKUP_BATCH):
        for lookup, state in connection.execute(history.where(among(connection, consent_entry.c.lookup, some))):
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
        (and_(last_lasting_grant.is_not(None), last_withdrawal.is_(None)), ConsentStatus.GRANTED.value),
        (last_lasting_grant > last_withdrawal, ConsentStatus.GRANTED.value),
        else_=ConsentStatus.UNKNOWN.value,
    )
