"""Leaving: what the one-click header, the unsubscribe page and the preference page change.

A withdrawal binds the address that the message went to, its channel and one topic or the whole channel. Doing it again
changes nothing; doing it again after having come back does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from core.clock import to_micros
from core.vault import Vault
from customers.consent import WHOLE_CHANNEL, Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.log import NewEvent, append_events
from customers.touches import touch
from customers.tracking_consent import CHANNEL as TRACKING
from customers.tracking_consent import TOPIC as TRACKED_TOPIC
from customers.tracking_consent import OpenTracking, open_rule
from customers.workspace import Workspace
from delivery.tables import MessageKind, message
from tracking.engagement import SOURCE
from tracking.handles import Handle, find_handle
from tracking.pages.other_channels import list_other_channels
from tracking.tables import engagement_event


class Scope(StrEnum):
    """What somebody leaves: the message's topic, or everything on its channel."""

    TOPIC = "topic"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Somebody leaves; `source` is where: one_click, unsubscribe_page or unsubscribe_mail."""

    handle: int
    scope: Scope
    source: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class ChoosePreferences:
    """Somebody says which topics are wanted; every other topic of the workspace is not.

    `leaves_opens` says whether opens shall not be measured; None where that was not asked. Of the other channels that
    were `asked` about, every topic goes that is not among those `kept` (channel, topic).
    """

    handle: int
    wanted: frozenset[str]
    occurred_at: datetime
    leaves_opens: bool | None = None
    asked: frozenset[str] = frozenset()
    kept: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class TopicChoice:
    slug: str
    name: str
    is_wanted: bool


def record_unsubscribe(connection: Connection, vault: Vault, workspace: Workspace, request: Unsubscribe) -> bool:
    """Withdraw the consent that a handle stands for; answers whether that was anything new."""
    handle = find_handle(connection, request.handle)
    if handle is None:
        return False
    topic = handle.topic if request.scope is Scope.TOPIC else WHOLE_CHANNEL
    at = request.occurred_at
    if _is_denied(connection, workspace, handle, topic, at):
        return False
    record_consents(connection, [_entry(handle, topic, ConsentStatus.WITHDRAWN, request.source, at)], at)
    _record_engagement(connection, handle, request)
    events = [_event(name, handle, topic, request.source, at) for name in ("unsubscribed", "consent_withdrawn")]
    append_events(connection, vault, workspace, events, at)
    return True


def list_choices(connection: Connection, workspace: Workspace, handle: Handle, now: datetime) -> list[TopicChoice]:
    """The marketing topics of the workspace by name, and which the handle's address wants on its channel."""
    choices = []
    for slug, topic in workspace.topics.items():
        if topic.kind == MessageKind.MARKETING:
            status = consent_of(connection, handle.channel, slug, [handle.lookup], now)[handle.lookup]
            choices.append(TopicChoice(slug, topic.name, status is ConsentStatus.GRANTED))
    return sorted(choices, key=lambda choice: choice.name.casefold())


def record_preferences(connection: Connection, vault: Vault, workspace: Workspace, request: ChoosePreferences) -> int:
    """Grant and withdraw what differs from how it stands; answers how many topics changed."""
    handle = find_handle(connection, request.handle)
    if handle is None:
        return 0
    source, at = "preference_page", request.occurred_at
    entries, events = [], []
    for choice in list_choices(connection, workspace, handle, at):
        is_wanted = choice.slug in request.wanted
        if is_wanted == choice.is_wanted:
            continue
        status = ConsentStatus.GRANTED if is_wanted else ConsentStatus.WITHDRAWN
        entries.append(_entry(handle, choice.slug, status, source, at))
        name = "consent_granted" if is_wanted else "consent_withdrawn"
        events.append(_event(name, handle, choice.slug, source, at))
    for channel in list_other_channels(connection, vault, workspace, handle, at) if request.asked else ():
        there = replace(handle, lookup=channel.lookup)
        for topic in channel.topics if channel.name in request.asked else ():
            if (channel.name, topic) not in request.kept:
                entries.append(_entry(there, topic, ConsentStatus.WITHDRAWN, source, at, channel.name))
                events.append(_event("consent_withdrawn", there, topic, source, at, channel.name))
    if request.leaves_opens is not None and request.leaves_opens != has_left_opens(connection, handle, at):
        entries.append(_about_opens(handle, request.leaves_opens, source, at))
        if request.leaves_opens:
            events.append(_event("consent_withdrawn", handle, TRACKED_TOPIC, source, at, TRACKING))
    record_consents(connection, entries, at)
    append_events(connection, vault, workspace, events, at)
    return len(entries)


def asks_about_opens(workspace: Workspace, handle: Handle) -> bool:
    """Whether there is a choice: mail alone has pictures, and some workspaces put none into any."""
    rule = open_rule(workspace)
    return handle.channel == "email" and {rule.default, *rule.countries.values()} != {OpenTracking.OFF}


def has_left_opens(connection: Connection, handle: Handle, now: datetime) -> bool:
    """Whether the last word of the handle's address was that its opens shall not be measured."""
    states = consent_of(connection, TRACKING, TRACKED_TOPIC, [handle.lookup], now)
    return states[handle.lookup] is ConsentStatus.WITHDRAWN


def _about_opens(handle: Handle, leaves: bool, source: str, at: datetime) -> NewConsent:
    """A withdrawal; or its end, a grant that has run out: what holds then is the country's default, and no opt-in."""
    if leaves:
        return _entry(handle, TRACKED_TOPIC, ConsentStatus.WITHDRAWN, source, at, TRACKING)
    lapsed = _entry(handle, TRACKED_TOPIC, ConsentStatus.GRANTED, source, at, TRACKING)
    return replace(lapsed, expires_at=at)


def _is_denied(connection: Connection, workspace: Workspace, handle: Handle, topic: str, at: datetime) -> bool:
    """Was this address's last word a no already; for a whole channel, about every topic since?"""
    status = consent_of(connection, handle.channel, topic, [handle.lookup], at)[handle.lookup]
    if status is not ConsentStatus.WITHDRAWN or topic != WHOLE_CHANNEL:
        return status is ConsentStatus.WITHDRAWN
    return not any(choice.is_wanted for choice in list_choices(connection, workspace, handle, at))


def _entry(
    handle: Handle, topic: str, status: ConsentStatus, source: str, at: datetime, channel: str | None = None
) -> NewConsent:
    return NewConsent(
        lookup=handle.lookup,
        channel=channel or handle.channel,
        topic=topic,
        status=status,
        basis=Basis.OPT_IN if status is ConsentStatus.GRANTED else None,
        source=source,
        occurred_at=at,
        profile_id=handle.profile_id,
        key=f"{source}:{handle.handle:x}:{f'{channel}.' if channel else ''}{topic}:{to_micros(at)}",
    )


def _event(name: str, handle: Handle, topic: str, source: str, at: datetime, channel: str | None = None) -> NewEvent:
    properties = {
        "channel": channel or handle.channel,
        "topic": topic,
        "source": source,
        "message_id": handle.message_id,
    }
    key = f"{name}:{handle.handle:x}:{f'{channel}.' if channel else ''}{topic}:{to_micros(at)}"
    return NewEvent(name, at, SOURCE, key, handle.profile_id, {k: v for k, v in properties.items() if v is not None})


def _record_engagement(connection: Connection, handle: Handle, request: Unsubscribe) -> None:
    """Beside the message, while it is still there: the handle outlives it."""
    query = select(message.c.id, message.c.profile_id).where(message.c.id == handle.message_id)
    of = connection.execute(query).one_or_none()
    if of is None:
        return
    row = {
        "message_id": of.id,
        "profile_id": of.profile_id,
        "kind": "unsubscribed",
        "occurred_at": request.occurred_at,
        "human_probability": 1.0,
        "reasons": [request.source],
    }
    connection.execute(insert(engagement_event).values(**row))
    touch(connection, [of.profile_id])
