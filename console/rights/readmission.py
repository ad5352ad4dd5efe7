"""Letting somebody back in who was erased and has opted in afresh: the mark is lifted, and the grant recorded.

Nothing that was erased comes back; a new profile begins. Consents from before stay withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from console.people import kinds_of
from core.clock import to_micros
from core.errors import InputError, NotFoundError
from core.runtime import Runtime
from core.suggest import did_you_mean
from core.vault import Vault
from customers.addresses import normalise
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.log import NewEvent, append_own_events
from customers.tables import IdentityKind
from customers.tombstones import Identifier, find_buried, lift
from customers.workspace import Workspace

_CHANNELS = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "sms"}


@dataclass(frozen=True, slots=True)
class Readmitted:
    """The person's new profile, and the topics that were granted."""

    profile_id: int
    lifted_count: int
    topics: tuple[str, ...]


def readmit(
    runtime: Runtime,
    workspace: Workspace,
    identifiers: Sequence[str],
    topics: Sequence[str],
    *,
    source: str,
    now: datetime,
) -> Readmitted:
    """Lift the marks of `identifiers` (addresses, numbers, external ids of one person) and grant `topics`.

    Raises NotFoundError where none of them is marked, InputError for an unknown topic or without an address.
    """
    _check_topics(workspace, topics)
    with runtime.database.transaction() as connection:
        person = {
            kind: value for typed in identifiers for kind, value in [_identify(connection, runtime, workspace, typed)]
        }
        channels = {channel: kind for kind, channel in _CHANNELS.items() if kind in person}
        if not channels:
            raise InputError("name the e-mail address or the number that opted in.")
        lifted = sum(lift(connection, runtime.vault, kind, value, now) for kind, value in person.items())
        if not lifted:
            raise NotFoundError("nobody with these identifiers was erased: there is nothing to lift.")
        profile_id = resolve(connection, runtime.vault, person, now, region=workspace.country)
        assert profile_id is not None, "a person with an address is made where nobody is known"
        for channel, kind in channels.items():
            entries = [
                _grant(runtime.vault, kind, person[kind], channel, topic, profile_id, source, now) for topic in topics
            ]
            record_consents(connection, entries, now)
            append_own_events(connection, [_said(entry, profile_id, now) for entry in entries], now)
    return Readmitted(profile_id, lifted, tuple(topics))


def _identify(connection: Connection, runtime: Runtime, workspace: Workspace, typed: str) -> Identifier:
    """What `typed` is: of the kinds that it may be, the one that is marked; else the likeliest."""
    possible = []
    for kind in kinds_of(typed):
        try:
            possible.append((kind, normalise(kind, typed, workspace.country)))
        except InputError:
            continue  # not of that kind
    if not possible:
        raise InputError("an identifier is an e-mail address, a phone number or an external id.")
    buried = find_buried(connection, runtime.vault, possible)
    return next((one for one in possible if one in buried), possible[-1])


def _check_topics(workspace: Workspace, topics: Sequence[str]) -> None:
    for topic in topics:
        if topic not in workspace.topics:
            hint = did_you_mean(topic, workspace.topics)
            raise InputError(f"workspace.yaml has no topic {topic!r}{': ' + hint if hint else ''}.")
    if not topics:
        raise InputError("say what was opted in to: --topic.")


def _grant(
    vault: Vault,
    kind: IdentityKind,
    value: str,
    channel: str,
    topic: str,
    profile_id: int,
    source: str,
    now: datetime,
) -> NewConsent:
    lookup = lookup_of(vault, kind, value)
    return NewConsent(
        lookup=lookup,
        channel=channel,
        topic=topic,
        status=ConsentStatus.GRANTED,
        basis=Basis.OPT_IN,
        source=source[:100],
        occurred_at=now,
        profile_id=profile_id,
        key=f"readmit:{lookup}:{channel}:{topic}:{to_micros(now)}",
    )


def _said(entry: NewConsent, profile_id: int, now: datetime) -> NewEvent:
    said = {"channel": entry.channel, "topic": entry.topic, "source": entry.source}
    return NewEvent("consent_granted", now, "privacy", f"consent_granted:{entry.key}", profile_id, said)
