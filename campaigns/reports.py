"""The report of a campaign, a journey or the whole workspace, as values. Reads only; how it looks is decided elsewhere.

Every figure comes from the rows it is about, and the sums are made of the parts that are shown: addressed is held out
plus sent plus not sent (by reason) plus unknown plus waiting plus in progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select, true

from campaigns.definition import DEFAULT_WINDOW, KIND, Campaign, get_campaign
from campaigns.reporting.activity import read_activity, read_offered
from campaigns.reporting.counts import Condition, count_messages, count_without_message, merge
from campaigns.reporting.exposures import (
    experiment_of_campaign,
    experiment_of_passages,
    experiment_of_workspace,
    launches_of,
)
from campaigns.reporting.figures import Funnel, Part, Report
from campaigns.tables import launch
from core.definitions import find_definition, list_definitions
from core.durations import parse_duration
from core.errors import NotFoundError
from core.suggest import did_you_mean
from customers.workspace import Workspace, get_workspace
from delivery.pauses import EVERYTHING, find_pauses
from delivery.tables import OriginKind, message
from recommender.lift import OfferLift, measure_lift
from recommender.published import find_published
from recommender.rule_report import ToldRule, top_rules
from recommender.tables import offer_decision

__all__ = ["Report", "build_report"]

_TOP_RULES = 8

# The passages of a journey: selects profile_id, entered_at and is_holdout.
SelectPassages = Callable[[str], Select[Any]]


def build_report(
    connection: Connection,
    now: datetime,
    name: str | None = None,
    *,
    launch_id: str | None = None,
    passages: SelectPassages | None = None,
) -> Report:
    """The report of the campaign or journey called `name` (one launch of it, where given), or of everything.

    `passages` gives the enrolments of a journey, held-out ones included; without it a journey has no comparison.
    Raises NotFoundError when nothing is called `name`.
    """
    workspace = get_workspace(connection)
    if name is None:
        return _of_workspace(connection, workspace, now)
    if _is_campaign(connection, name):
        return _of_campaign(connection, workspace, now, name, launch_id)
    if _is_journey(connection, name):
        return _of_journey(connection, workspace, now, name, passages)
    sent = connection.execute(select(message.c.origin).distinct()).scalars()
    published = [one.slug for kind in (KIND, "journey") for one in list_definitions(connection, kind)]
    hint = did_you_mean(name, {*sent, *published}) or "run `postilion report` without a name to see everything"
    raise NotFoundError(f"there is no campaign or journey named {name!r}: {hint}.")


def _of_campaign(
    connection: Connection, workspace: Workspace, now: datetime, slug: str, launch_id: str | None
) -> Report:
    launches = [row for row in launches_of(connection, slug) if launch_id in (None, row.id)]
    if launch_id is not None and not launches:
        raise NotFoundError(f"the campaign {slug!r} has no launch {launch_id}.")
    campaign = get_campaign(connection, slug, launches[-1].version if launches else None)
    ids = [row.id for row in launches]
    where, members = message.c.origin_id.in_(ids), launch.c.id.in_(ids)
    by_launch = _both(connection, workspace, where, message.c.origin_id, members, launch.c.id)
    by_variant = count_messages(connection, where, message.c.variant, workspace.currency)
    parts = [Part("variant", str(name), funnel) for name, funnel in sorted(by_variant.items(), key=str) if name]
    if len(launches) > 1:
        parts += [Part("launch", row.occurrence, by_launch.get(row.id, Funnel()), row.launched_at) for row in launches]
    versions = {row.version for row in launches}
    holdouts = {version: get_campaign(connection, slug, version).holdout for version in versions}
    began_at = launches[0].launched_at if launches else None
    return Report(
        **_head(workspace, now, connection, "campaign", slug, campaign.name),
        began_at=began_at,
        funnel=merge(*by_launch.values()),
        parts=tuple(parts),
        activity=read_activity(connection, where),
        experiment=experiment_of_campaign(connection, campaign, launches, holdouts, workspace.currency),
        offers=_offers(connection, workspace, _offers_shown(connection, where), began_at, now, campaign),
        offered=read_offered(connection, where),
        rules=_rules(connection),
    )


def _of_journey(
    connection: Connection, workspace: Workspace, now: datetime, slug: str, passages: SelectPassages | None
) -> Report:
    published = find_definition(connection, "journey", slug)
    document = published.document if published else {}
    where = (message.c.origin_kind == OriginKind.JOURNEY) & (message.c.origin == slug)
    by_step = count_messages(connection, where, message.c.step, workspace.currency)
    began_at = connection.execute(select(func.min(message.c.created_at)).where(where)).scalar_one()
    experiment = None
    if passages is not None:
        window = _window(document)
        experiment = experiment_of_passages(connection, passages(slug), window, workspace.currency)
    return Report(
        **_head(workspace, now, connection, "journey", slug, document.get("name") or slug),
        began_at=began_at,
        funnel=merge(*by_step.values()),
        parts=tuple(Part("step", str(step), funnel) for step, funnel in sorted(by_step.items(), key=str)),
        activity=read_activity(connection, where),
        experiment=experiment,
        offers=_offers(connection, workspace, _offers_shown(connection, where), began_at, now),
        offered=read_offered(connection, where),
        rules=_rules(connection),
    )


def _of_workspace(connection: Connection, workspace: Workspace, now: datetime) -> Report:
    parts = []
    for kind in (OriginKind.CAMPAIGN, OriginKind.JOURNEY):
        where: Condition = message.c.origin_kind == kind
        members = true() if kind is OriginKind.CAMPAIGN else launch.c.id.is_(None)
        found = _both(connection, workspace, where, message.c.origin, members, launch.c.campaign)
        parts += [Part(kind.value, str(name), funnel) for name, funnel in sorted(found.items(), key=str)]
    began_at = connection.execute(select(func.min(message.c.created_at))).scalar_one()
    experiment = experiment_of_workspace(connection, workspace, began_at, now) if began_at else None
    return Report(
        **_head(workspace, now, connection, "workspace", workspace.slug, workspace.name),
        began_at=began_at,
        funnel=merge(*(part.funnel for part in parts)),
        parts=tuple(parts),
        activity=read_activity(connection, true()),
        experiment=experiment,
        offers=_offers(connection, workspace, _offers_shown(connection, true()), began_at, now),
        offered=read_offered(connection, true()),
        rules=_rules(connection),
    )


def _head(
    workspace: Workspace, now: datetime, connection: Connection, kind: str, slug: str, name: str
) -> dict[str, Any]:
    concerned = {EVERYTHING, f"{kind}:{slug}"}
    pauses = {
        scope: cause
        for scope, cause in find_pauses(connection, now).items()
        if kind == "workspace" or scope in concerned or scope.startswith(("channel:", "sender:"))
    }
    return {
        "kind": kind,
        "slug": slug,
        "name": name,
        "workspace": workspace.name,
        "currency": workspace.currency,
        "timezone": workspace.timezone,
        "made_at": now,
        "pauses": pauses,
    }


def _both(
    connection: Connection, workspace: Workspace, where: Condition, by: Any, members: Condition, members_by: Any
) -> dict[str | None, Funnel]:
    """Those with a message and those without one, by launch or by origin."""
    sent = count_messages(connection, where, by, workspace.currency)
    without = count_without_message(connection, members, members_by)
    return {key: merge(sent.get(key, Funnel()), without.get(key, Funnel())) for key in dict.fromkeys([*sent, *without])}


def _offers_shown(connection: Connection, where: Condition) -> list[str]:
    query = select(offer_decision.c.offer).join(message, message.c.decision_id == offer_decision.c.id)
    return sorted(connection.execute(query.where(where).distinct()).scalars())


def _offers(
    connection: Connection,
    workspace: Workspace,
    offers: Iterable[str],
    began_at: datetime | None,
    now: datetime,
    campaign: Campaign | None = None,
) -> tuple[OfferLift, ...]:
    """What the offers were worth beside best sellers, over everybody they were decided for since the beginning."""
    if began_at is None:
        return ()
    window = campaign.window if campaign else DEFAULT_WINDOW
    return tuple(
        measure_lift(connection, offer, start=began_at, end=now, currency=workspace.currency, window=window)
        for offer in offers
    )


def _rules(connection: Connection) -> tuple[ToldRule, ...]:
    found = find_published(connection)
    return () if found is None else tuple(top_rules(connection, found.id, _TOP_RULES))


def _window(document: Mapping[str, Any]) -> timedelta:
    within = (document.get("goal") or {}).get("within")
    return parse_duration(within).as_elapsed() if within else DEFAULT_WINDOW


def _is_campaign(connection: Connection, name: str) -> bool:
    launched = connection.execute(select(launch.c.id).where(launch.c.campaign == name).limit(1)).first()
    return launched is not None or find_definition(connection, KIND, name) is not None


def _is_journey(connection: Connection, name: str) -> bool:
    if find_definition(connection, "journey", name) is not None:
        return True
    is_its = (message.c.origin_kind == OriginKind.JOURNEY) & (message.c.origin == name)
    return connection.execute(select(message.c.id).where(is_its).limit(1)).first() is not None
