"""What one person would get, without sending or counting anything.

Offers are decided for real and forgotten again; links lead straight to where they would, and the ways out to nowhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from campaigns.definition import get_campaign
from campaigns.message_context import campaign_context, offer_context, profile_context, workspace_context
from campaigns.published_templates import PublishedTemplate, load_template
from core.errors import Fault, InputError
from core.runtime import Runtime
from core.settings import Settings
from customers.profiles import Profile, get_profile
from customers.tables import ProfileStatus
from customers.workspace import ValueKind, Workspace, get_workspace
from delivery.assets import FolderStore, content_type_of
from delivery.link_rewriting import WriteLink
from delivery.lint import lint_mail, lint_template
from delivery.templates import RenderError, render
from recommender.offer_definition import get_offer
from recommender.offers import OfferDecision, decide_offers, propose_to_nobody, show_decision

_KEY = "preview"
_NOWHERE = "https://preview.invalid"
_LINKS = {name: f"{_NOWHERE}/{name}" for name in ("unsubscribe", "preferences", "view_in_browser")}
_SAMPLE_NAMES = {"first_name": "Alex", "last_name": "Sample", "name": "Alex Sample", "city": "Bath"}
SAMPLES: Mapping[ValueKind, Any] = {
    ValueKind.TEXT: "sample",
    ValueKind.NUMBER: 1,
    ValueKind.BOOLEAN: True,
    ValueKind.DATE: "1990-06-15",
    ValueKind.INSTANT: "2026-01-15T12:00:00Z",
    ValueKind.LIST: ["sample"],
}


@dataclass(frozen=True, slots=True)
class Preview:
    """A rendered message; of an SMS only the text. `who` names the person, or says that it is a sample; `warnings` are
    what would keep this mail from being read.
    """

    template: str
    version: int
    channel: str
    who: str
    subject: str
    preheader: str
    html: str
    text: str
    warnings: tuple[Fault, ...] = ()


def preview_template(
    runtime: Runtime,
    template: str,
    profile_id: int | None = None,
    *,
    version: int | None = None,
    campaign: str | None = None,
    variant: str | None = None,
    entry: Mapping[str, Any] | None = None,
    steps: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> Preview:
    """The published template as `profile_id` would get it, by default a sample person.

    `campaign`, `entry`, `steps` and `values` (what a step's `with` says) stand for where it would come from. Raises
    NotFoundError for an unknown name, InputError with the cause when the template cannot be rendered for this person.
    """
    now = runtime.clock.now()
    with runtime.database.read() as connection:  # what deciding offers would write is lost
        workspace = get_workspace(connection)
        found = load_template(connection, template, version)
        profile = _sample(workspace) if profile_id is None else get_profile(connection, runtime.vault, profile_id)
        origin = get_campaign(connection, campaign) if campaign else None
        unnamed = {origin.offer} if origin and origin.offer and found.reads_unnamed_offers else set()
        offers = {
            slug: offer_context(propose(connection, slug, profile_id, found.source.channel, now))
            for slug in sorted(found.offers | unnamed)
        }
    context: dict[str, Any] = {
        "profile": profile_context(profile),
        "workspace": workspace_context(workspace),
        "campaign": campaign_context(origin, variant),
        "entry": dict(entry or {}),
        "steps": dict(steps or {}),
        "vars": {**(origin.values if origin else {}), **(values or {})},
        "offers": offers,
        "items": next((offer["items"] for offer in offers.values()), []),
        "links": _LINKS,
    }
    try:
        assets_url = runtime.settings.assets_base
        rendered = render(found.compiled, context, _straight(found), assets_url=assets_url)
    except RenderError as error:
        raise InputError(f"this cannot be rendered for {_who(profile_id)}: {error}.") from error
    return Preview(
        found.slug,
        found.version,
        found.source.channel,
        _who(profile_id),
        rendered.subject,
        rendered.preheader,
        rendered.html,
        rendered.text,
        tuple(sorted({*lint_template(found.source, found.compiled), *lint_mail(found.source, rendered)})),
    )


def embed_assets(html: str, settings: Settings) -> str:
    """`html` with the assets of our own folder in it, for looking at it where nobody serves them."""
    store = FolderStore(settings.assets_folder)

    def embed(match: re.Match[str]) -> str:
        content = store.find(match[1])
        if content is None:
            return match.group()
        return f"data:{content_type_of(match[1])};base64,{base64.b64encode(content).decode()}"

    return re.sub(rf"{re.escape(settings.assets_base)}/([0-9a-f]{{32}}/[A-Za-z0-9._-]+)", embed, html)


def propose(connection: Connection, slug: str, profile_id: int | None, surface: str, now: datetime) -> OfferDecision:
    """What the offer would be now, for a person or for nobody in particular; lost when nothing is committed."""
    offer = get_offer(connection, slug)
    if profile_id is None:
        return show_decision(connection, propose_to_nobody(connection, offer, [], surface=surface, now=now))
    return decide_offers(connection, offer, [profile_id], surface=surface, key=_KEY, now=now)[profile_id]


def _straight(template: PublishedTemplate) -> WriteLink:
    urls = {link.number: link.url for link in template.compiled.links}
    return lambda number, url: url or urls.get(number) or _NOWHERE


def _sample(workspace: Workspace) -> Profile:
    """Somebody with a value for every declared attribute."""
    attributes = {name: _SAMPLE_NAMES.get(name, SAMPLES[spec.kind]) for name, spec in workspace.attributes.items()}
    return Profile(
        0,
        ProfileStatus.ACTIVE,
        timezone=workspace.timezone,
        country=workspace.country,
        locale=workspace.locale,
        attributes=attributes,
    )


def _who(profile_id: int | None) -> str:
    return "a sample person" if profile_id is None else f"profile {profile_id}"
