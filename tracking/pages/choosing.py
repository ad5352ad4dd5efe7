"""The pages of leaving and of choosing, as they stand for one handle. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.vault import Vault
from customers.consent import ConsentStatus, consent_of
from customers.pausing import LENGTH, paused_until
from customers.tables import profile
from customers.workspace import Workspace
from tracking.handles import Handle
from tracking.pages.language import Texts, texts_for
from tracking.pages.layout import Page, make_page, topic_names
from tracking.pages.other_channels import OtherChannel, list_other_channels
from tracking.pages.unsubscribe import asks_about_opens, has_left_opens, list_choices


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody before a page: what the link they came by stands for, and their language."""

    workspace: Workspace
    texts: Texts
    handle: Handle
    now: datetime


def locale_of(connection: Connection, profile_id: int | None) -> str | None:
    """The locale that is known of somebody."""
    locale: str | None = connection.execute(select(profile.c.locale).where(profile.c.id == profile_id)).scalar()
    return locale


def unsubscribe_page(connection: Connection, visit: Visit, preferences: str) -> Page:
    """Asks whether to go; nothing has happened yet. `preferences` is the address of the preference page."""
    handle = visit.handle
    state = consent_of(connection, handle.channel, handle.topic, [handle.lookup], visit.now)[handle.lookup]
    return make_page(
        "unsubscribe",
        visit.workspace,
        visit.texts,
        visit.texts("unsubscribe.title"),
        topic=topic_names(visit.workspace, [handle.topic])[0],
        by_channel=visit.texts.by_channel(handle.channel),
        has_left=state is ConsentStatus.WITHDRAWN,
        preferences=preferences,
    )


def unsubscribed_page(visit: Visit, topic: str | None, preferences: str) -> Page:
    """Says that it is done; `topic` is None for the whole channel."""
    texts = visit.texts
    return make_page(
        "unsubscribed",
        visit.workspace,
        texts,
        texts("unsubscribed.title"),
        what=topic_names(visit.workspace, [topic])[0] if topic else texts("unsubscribed.marketing"),
        by_channel=texts.by_channel(visit.handle.channel),
        preferences=preferences,
    )


def preference_page(connection: Connection, vault: Vault, visit: Visit, said: str | None = None) -> Page:
    """How everything stands; `said` tells what was done just now."""
    workspace, texts, handle, now = visit.workspace, visit.texts, visit.handle, visit.now
    until = paused_until(connection, handle.channel, handle.lookup, now)
    others = list_other_channels(connection, vault, workspace, handle, now)
    return make_page(
        "preferences",
        workspace,
        texts,
        texts("preferences.title"),
        said=said,
        choices=list_choices(connection, workspace, handle, now),
        others=[_shown(one, workspace, texts) for one in others],
        leaves_opens=has_left_opens(connection, handle, now) if asks_about_opens(workspace, handle) else None,
        by_channel=texts.by_channel(handle.channel),
        days=LENGTH.days,
        paused_until=texts.day(until) if until else None,
        has_rights=handle.profile_id is not None,
    )


def visit_of(
    connection: Connection, workspace: Workspace, handle: Handle, languages: list[str], now: datetime
) -> Visit:
    """`languages` are those of the browser, for somebody whose own is not known."""
    texts = texts_for(workspace, locale_of(connection, handle.profile_id), *languages)
    return Visit(workspace, texts, handle, now)


def _shown(channel: OtherChannel, workspace: Workspace, texts: Texts) -> Mapping[str, Any]:
    names = topic_names(workspace, channel.topics)
    choices = [{"slug": slug, "name": name} for slug, name in zip(channel.topics, names, strict=True)]
    return {"name": channel.name, "by_channel": texts.by_channel(channel.name), "choices": choices}
