"""Consent by hand: what somebody said at the counter, on paper or on the telephone, and the proof of what was said.

An address is enough; it need not belong to anybody who is known. Whoever was erased comes back by a fresh opt-in of
their own (`postilion privacy readmit`), not from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from console.people import get_profile_id
from core.clock import to_micros
from core.errors import ConflictError, InputError, NotFoundError
from core.runtime import Runtime
from core.suggest import did_you_mean
from customers.addresses import normalise
from customers.consent import Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.consent_history import ConsentEntry, list_history
from customers.identities import lookup_of
from customers.imports.consent_words import CHANNELS, address_kind, knows_topic
from customers.log import NewEvent, append_events
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind
from customers.tombstones import find_buried
from customers.tracking_consent import CHANNEL as TRACKING
from customers.tracking_consent import TOPIC as TRACKED_TOPIC
from customers.workspace import Workspace

SOURCE = "by_hand"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about: a profile where one is known, and the lookups of the addresses by kind."""

    profile_id: int | None
    lookups: Mapping[IdentityKind, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody said; `source` says how we know, `text_version` which words they saw."""

    channel: str
    topic: str
    status: ConsentStatus
    source: str
    occurred_at: datetime
    basis: Basis | None = None
    text_version: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an address may be used for a topic, now."""

    channel: str
    topic: str
    status: ConsentStatus


def find_subject(connection: Connection, runtime: Runtime, workspace: Workspace, typed: str) -> Subject:
    """Who is meant by an external id, an address or a number. Raises NotFoundError for a name that nobody has."""
    try:
        profile_id = get_profile_id(connection, runtime.vault, workspace, typed)
    except NotFoundError:
        kind = IdentityKind.EMAIL if "@" in typed else IdentityKind.PHONE
        try:
            value = normalise(kind, typed, workspace.country)
        except InputError:
            raise NotFoundError(f"{typed!r} is nobody's external id, no address and no number.") from None
        return Subject(None, {kind: lookup_of(runtime.vault, kind, value)})
    person = get_profile(connection, runtime.vault, profile_id)
    own = {IdentityKind.EMAIL: person.email, IdentityKind.PHONE: person.phone}
    lookups = {kind: address.lookup for kind, address in own.items() if address is not None}
    if "@" in typed and find_profile(connection, runtime.vault, IdentityKind.EMAIL, typed) is not None:
        # Of several addresses the one that was named.
        lookups[IdentityKind.EMAIL] = lookup_of(runtime.vault, IdentityKind.EMAIL, normalise(IdentityKind.EMAIL, typed))
    return Subject(profile_id, lookups)


def state_consent(
    connection: Connection, runtime: Runtime, workspace: Workspace, typed: str, statement: Statement
) -> Subject:
    """Record what somebody said, and tell the log; the same statement again changes nothing.

    Raises InputError for an unknown channel or topic, NotFoundError without an address of the channel's kind, and
    ConflictError for somebody who was erased.
    """
    _check(workspace, statement)
    now = runtime.clock.now()
    kind = address_kind(statement.channel)
    _refuse_erased(connection, runtime, workspace, kind, typed)
    subject = find_subject(connection, runtime, workspace, typed)
    lookup = subject.lookups.get(kind)
    if lookup is None:
        what = "e-mail address" if kind is IdentityKind.EMAIL else "telephone number"
        raise NotFoundError(f"there is no {what} of theirs, and a consent for {statement.channel} binds one.")
    at = min(statement.occurred_at, now)
    named = f"{lookup}:{statement.channel}:{statement.topic}:{statement.status}:{to_micros(at)}"
    entry = NewConsent(
        lookup=lookup,
        channel=statement.channel,
        topic=statement.topic,
        status=statement.status,
        basis=statement.basis,
        source=statement.source,
        occurred_at=at,
        profile_id=subject.profile_id,
        key=f"{SOURCE}:{named}",
        text_version=statement.text_version,
        expires_at=statement.expires_at,
    )
    if record_consents(connection, [entry], now):
        name = "consent_granted" if statement.status is ConsentStatus.GRANTED else "consent_withdrawn"
        told = {"channel": statement.channel, "topic": statement.topic, "source": statement.source}
        event = NewEvent(name, at, SOURCE, f"{name}:{named}", subject.profile_id, told)
        append_events(connection, runtime.vault, workspace, [event], now)
    return subject


def list_standing(
    connection: Connection, workspace: Workspace, subject: Subject, history: Sequence[ConsentEntry], now: datetime
) -> list[Standing]:
    """The state of every topic of the workspace for which the addresses have a channel, and of whatever was said."""
    channels = [channel for channel in sorted(CHANNELS) if address_kind(channel) in subject.lookups]
    said = {(entry.channel, entry.topic) for entry in history}
    usual = {("email", topic) for topic in workspace.topics} if "email" in channels else set()
    if "email" in channels:
        usual.add((TRACKING, TRACKED_TOPIC))
    standing = []
    for channel, topic in sorted(said | usual):
        lookup = subject.lookups.get(address_kind(channel))
        if lookup is not None:
            status = consent_of(connection, channel, topic, [lookup], now)[lookup]
            standing.append(Standing(channel, topic, status))
    return standing


def history_of(connection: Connection, subject: Subject) -> list[ConsentEntry]:
    """Every entry that binds an address of theirs, whoever shares it."""
    return list_history(connection, sorted(set(subject.lookups.values())))


def _check(workspace: Workspace, statement: Statement) -> None:
    if statement.channel not in CHANNELS:
        hint = did_you_mean(statement.channel, CHANNELS) or f"write one of {', '.join(sorted(CHANNELS))}"
        raise InputError(f"there is no channel {statement.channel!r}: {hint}.")
    if not knows_topic(workspace, statement.channel, statement.topic):
        known = [TRACKED_TOPIC] if statement.channel == TRACKING else [*workspace.topics, "*"]
        hint = did_you_mean(statement.topic, known) or f"write one of {', '.join(known)}"
        raise InputError(f"there is no topic {statement.topic!r}: {hint}.")


def _refuse_erased(
    connection: Connection, runtime: Runtime, workspace: Workspace, kind: IdentityKind, typed: str
) -> None:
    try:
        value = normalise(kind, typed, workspace.country)
    except InputError:
        return  # an external id: of somebody who is known
    if find_buried(connection, runtime.vault, [(kind, value)]):
        raise ConflictError(
            "whoever had this address was erased: record a fresh opt-in of their own by `postilion privacy readmit`."
        )
