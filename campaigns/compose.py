"""Composing: a claimed message, its person, template and offers become an envelope, for campaigns and journeys alike.

Delivery hands batches down. What a whole batch shares is read once; then each message is rendered alone, and one that
fails is one `NotSent` with its cause, never a blank mail and never a stopped batch. The worker has asked the policy
before, and whoever composes decides nothing about consent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from campaigns.definition import Campaign, get_campaign
from campaigns.envelopes import Outside, build_envelope, find_sender
from campaigns.frozen_offers import Frozen, Owner, Refreshed, refresh_offers
from campaigns.frozen_reading import Reading
from campaigns.letter_columns import fill_columns
from campaigns.message_context import (
    TEMPLATE_VERSION,
    campaign_context,
    declared_context,
    offer_context,
    offers_of_steps,
    profile_context,
    skus_of_entry,
    workspace_context,
)
from campaigns.message_offers import DecidedOffers, OfferRequest, decide_for_messages
from campaigns.published_templates import PublishedTemplate, load_template
from campaigns.tables import launch
from campaigns.webhook_calls import WEBHOOK, compose_call
from core.errors import ConfigError, InputError, NotFoundError
from core.runtime import Runtime
from customers.tracking_consent import OpenTracking, open_tracking
from customers.workspace import Workspace, get_workspace
from delivery.envelope import Composed, MessageRow, NotSent
from delivery.facts import Gathered
from delivery.policy import Reason
from delivery.tables import MessageKind, OriginKind
from delivery.templates import RenderError, render
from delivery.webhook_signature import secrets_of
from tracking.decoy import has_decoy
from tracking.handles import HandleFor, ensure_handles
from tracking.links import MessageLinks
from tracking.open_counts import ensure_origins, origin_of
from tracking.tokens import KeyRing

log = logging.getLogger(__name__)

_CONTEXT = "message.context"


@dataclass(frozen=True, slots=True)
class _Draft:
    """One message and what it is made from; `offers` are those that its journey has decided already."""

    row: MessageRow
    template: PublishedTemplate
    campaign: Campaign | None
    context: Mapping[str, Any] = field(repr=False)
    offers: Mapping[str, Mapping[str, Any]]
    empty_steps: frozenset[str] = frozenset()  # offers of its journey of which nothing is left

    @property
    def outside(self) -> Outside:
        if self.campaign is not None:
            return Outside.of_campaign(self.campaign)
        return Outside.of_document(self.context.get("outside") or {})

    @property
    def wanted_offers(self) -> frozenset[str]:
        unnamed = self.campaign.offer if self.campaign and self.template.reads_unnamed_offers else None
        return self.template.offers | ({unnamed} if unnamed else frozenset())

    @property
    def reads_empty_step(self) -> bool:
        """Whether the template shows what a step of the journey chose, and nothing of that is left."""
        return bool(self.empty_steps) and _reading(self.template).lacks(self.empty_steps, self.context)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the messages of one batch share."""

    workspace: Workspace
    workspace_context: Mapping[str, Any]
    drafts: Sequence[_Draft]
    offers: DecidedOffers
    handles: Mapping[str, int]
    opens: Mapping[int, OpenTracking]


class Composer:
    """Composes for one process; thread-safe. Its `compose` is what a `DeliveryWorker` takes.

    Without `workspace` the published one is read for each batch, so that a change is seen by a running process.
    `shows_sealed=False` leaves out of a message's context what nobody has declared to be no personal data.
    """

    def __init__(self, runtime: Runtime, workspace: Workspace | None = None, *, shows_sealed: bool = True) -> None:
        self._shows_sealed = shows_sealed
        self._runtime = runtime
        self._workspace = workspace
        self._key_ring = KeyRing.derive(runtime.vault.signing_key, runtime.vault.key_version)

    def compose(self, rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> list[Composed]:
        """An envelope for each of `rows`, or why there is none; `gathered` has their profiles and addresses."""
        failed: list[Composed] = [self._call(row, gathered[row.id]) for row in rows if row.channel == WEBHOOK]
        rows = [row for row in rows if row.channel != WEBHOOK]
        now = self._runtime.clock.now()
        with self._runtime.database.transaction() as connection:
            workspace = self._workspace or get_workspace(connection)
            drafts = self._draft(connection, workspace, rows, failed, now)
            batch = _Batch(
                workspace,
                workspace_context(workspace),
                drafts,
                decide_for_messages(connection, _requests(drafts), now),
                ensure_handles(connection, _handles_for(drafts, gathered), now),
                _opens(connection, workspace, drafts, gathered, now),
            )
        return failed + [self._compose_one(batch, draft, gathered[draft.row.id]) for draft in batch.drafts]

    def _draft(
        self,
        connection: Connection,
        workspace: Workspace,
        rows: Sequence[MessageRow],
        failed: list[Composed],
        now: datetime,
    ) -> list[_Draft]:
        """The drafts of those rows whose template, campaign and context can be read; the others go to `failed`."""
        sources = _Sources(connection)
        drafts: list[tuple[MessageRow, PublishedTemplate, Campaign | None, Mapping[str, Any]]] = []
        for row in rows:
            try:
                context = self._runtime.vault.open_document(
                    row.origin_profile_id or row.profile_id, _CONTEXT, row.context
                )
                campaign, template = sources.find(row, context)
            except ConfigError as error:
                failed.append(NotSent(row.id, Reason.RENDER_ERROR, str(error.faults[0])))
            except _SourceMissingError as error:
                failed.append(NotSent(row.id, Reason.RENDER_ERROR, str(error)))
            except NotFoundError:  # erased since the policy was asked
                failed.append(NotSent(row.id, Reason.ERASED))
            else:
                if not self._shows_sealed:
                    context = declared_context(context, workspace)
                drafts.append((row, template, campaign, context))
        # Whoever reads a mail again sees what was chosen then, and not what can be had today.
        fresh = (
            refresh_offers(
                connection,
                self._runtime.vault,
                [Frozen(context, _reading(template), _owner(row)) for row, template, _, context in drafts],
                now,
            )
            if self._shows_sealed
            else [Refreshed(context) for *_, context in drafts]
        )
        return [
            _Draft(row, template, campaign, one.context, offers_of_steps(one.context.get("steps") or {}), one.empty)
            for (row, template, campaign, _), one in zip(drafts, fresh, strict=True)
        ]

    def _call(self, row: MessageRow, gathered: Gathered) -> Composed:
        vault = self._runtime.vault
        try:
            context = vault.open_document(row.origin_profile_id or row.profile_id, _CONTEXT, row.context)
        except NotFoundError:  # erased since the policy was asked
            return NotSent(row.id, Reason.ERASED)
        return compose_call(
            row, context, gathered.profile, lambda name: secrets_of(vault.signing_key, vault.key_version, name)
        )

    def _compose_one(self, batch: _Batch, draft: _Draft, gathered: Gathered) -> Composed:
        try:
            return self._render(batch, draft, gathered)
        except (RenderError, NotFoundError, InputError) as error:
            return NotSent(draft.row.id, Reason.RENDER_ERROR, str(error))
        except Exception as error:  # noqa: BLE001 # one profile must not stop the others; its row keeps the cause
            log.error("message %s could not be composed: %s", draft.row.id, type(error).__name__)  # noqa: TRY400 # its text may be personal
            return NotSent(draft.row.id, Reason.RENDER_ERROR, f"composing failed unforeseen: {type(error).__name__}")

    def _render(self, batch: _Batch, draft: _Draft, gathered: Gathered) -> Composed:
        row, template, workspace = draft.row, draft.template, batch.workspace
        assert gathered.address is not None  # the policy let it pass
        offers, missing = _offers_of(draft, batch.offers)
        if missing is not None:
            return missing
        opens = batch.opens.get(row.profile_id, OpenTracking.OFF)
        links = MessageLinks(
            self._runtime.settings.public_url,
            self._key_ring,
            row.token_id,
            batch.handles.get(row.id),
            opens=opens,
            origin_id=origin_of(row).id,
            has_decoy=row.kind == MessageKind.MARKETING and row.channel == "email" and has_decoy(workspace),
        )
        context: dict[str, Any] = {
            "entry": draft.context.get("entry") or {},
            "steps": draft.context.get("steps") or {},
            "vars": draft.context.get("vars") or (draft.campaign.values if draft.campaign else {}),
            "profile": profile_context(gathered.profile),
            "offers": offers,
            "items": next((offer["items"] for offer in offers.values()), []),
            "campaign": campaign_context(draft.campaign, row.variant),
            "workspace": batch.workspace_context,
            "links": {**links.urls(), **(draft.context.get("links") or {})},
        }
        assets_url = self._runtime.settings.assets_base
        rendered = render(template.compiled, context, links.write_link, assets_url=assets_url)
        sender = find_sender(workspace, row, template.source.sender)
        columns, lacking = fill_columns(template.source.address, context["profile"])
        if lacking:
            return NotSent(row.id, Reason.NO_ADDRESS, f"the profile has no {lacking[0]}")
        return build_envelope(
            row,
            gathered.address,
            sender,
            rendered,
            workspace=workspace,
            outside=draft.outside,
            unsubscribe_headers=links.headers(sender.unsubscribe_address),
            template_hash=template.compiled.content_hash,
            decision_id=next((offer["decision_id"] for offer in offers.values() if offer["items"]), None),
            links=links.destinations,
            opens=opens,
            columns=columns,
        )


class _SourceMissingError(Exception):
    """The campaign or template of a message is not published."""


class _Sources:
    """Campaigns and templates of the messages of one batch, each read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._campaigns: dict[str, Campaign] = {}
        self._templates: dict[tuple[str, int | None], PublishedTemplate] = {}

    def find(self, row: MessageRow, context: Mapping[str, Any]) -> tuple[Campaign | None, PublishedTemplate]:
        """Raises _SourceMissingError, or ConfigError when this release cannot read them."""
        try:
            campaign = self._campaign(row.origin_id) if row.origin_kind == OriginKind.CAMPAIGN else None
            pinned = campaign.get_variant(row.variant).content.version if campaign else context.get(TEMPLATE_VERSION)
            return campaign, self._template(row.template, pinned)
        except NotFoundError as error:
            raise _SourceMissingError(str(error)) from None
        except KeyError:
            raise _SourceMissingError(f"the campaign has no variant {row.variant!r}") from None

    def _campaign(self, launch_id: str) -> Campaign:
        if launch_id not in self._campaigns:
            query = select(launch.c.campaign, launch.c.version).where(launch.c.id == launch_id)
            found = self._connection.execute(query).one_or_none()
            if found is None:
                raise NotFoundError("the launch of this message is gone.")
            self._campaigns[launch_id] = get_campaign(self._connection, found.campaign, found.version)
        return self._campaigns[launch_id]

    def _template(self, slug: str, version: int | None) -> PublishedTemplate:
        if (slug, version) not in self._templates:
            self._templates[slug, version] = load_template(self._connection, slug, version)
        return self._templates[slug, version]


def _reading(template: PublishedTemplate) -> Reading:
    return Reading(frozenset(variable.path for variable in template.compiled.variables))


def _owner(row: MessageRow) -> Owner | None:
    """Whose voucher codes the message carries; a copy for whoever made the template carries nobody's."""
    return Owner(str(row.origin_id), row.profile_id, row.id) if row.origin_kind == OriginKind.JOURNEY else None


def _requests(drafts: Sequence[_Draft]) -> list[OfferRequest]:
    return [
        OfferRequest(draft.row, offer, skus_of_entry(draft.context.get("entry") or {}))
        for draft in drafts
        for offer in sorted(draft.wanted_offers - draft.offers.keys())
    ]


def _handles_for(drafts: Sequence[_Draft], gathered: Mapping[str, Gathered]) -> list[HandleFor]:
    """Marketing messages need a way out, whether their template shows it or not."""
    return [
        HandleFor(row.id, address.lookup, row.channel, row.topic, row.profile_id)
        for row in (draft.row for draft in drafts)
        if row.kind == MessageKind.MARKETING and (address := gathered[row.id].address) is not None
    ]


def _opens(
    connection: Connection,
    workspace: Workspace,
    drafts: Sequence[_Draft],
    gathered: Mapping[str, Gathered],
    now: datetime,
) -> dict[int, OpenTracking]:
    """What the picture of each person's mail may tell; where it may only be counted, there is something to count by."""
    rows = [draft.row for draft in drafts]
    mails = [row for row in rows if row.channel == "email" and row.origin_kind != OriginKind.SYSTEM]
    people = {row.profile_id: address.lookup for row in mails if (address := gathered[row.id].address) is not None}
    opens = open_tracking(connection, workspace, people, now)
    counted = {origin_of(row) for row in mails if opens.get(row.profile_id) is OpenTracking.AGGREGATE}
    ensure_origins(connection, counted)
    return opens


def _offers_of(draft: _Draft, decided: DecidedOffers) -> tuple[dict[str, Mapping[str, Any]], NotSent | None]:
    """`offers.*` of one message, and why it is not sent where it lacks what it is about."""
    row, offers = draft.row, dict(draft.offers)
    if draft.reads_empty_step:
        return offers, NotSent(row.id, Reason.NO_OFFER, "nothing is left of what was chosen, nor of a fallback")
    for slug in sorted(draft.wanted_offers - draft.offers.keys()):
        if slug in decided.broken:
            return offers, NotSent(row.id, Reason.RENDER_ERROR, decided.broken[slug])
        decision = decided.decisions[row.id, slug]
        offers[slug] = offer_context(decision)
        if not decision.items and slug in draft.template.needed_offers:
            return offers, NotSent(row.id, Reason.NO_OFFER, f"{slug}: {decision.withheld or 'nothing to offer'}")
    return offers, None
