"""Whether a campaign can be launched: everything it names is there, and its messages may lawfully go out.

Asked before anybody is put into an audience, so that a campaign fails as a whole and with its reason, and not once a
person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from campaigns.definition import Campaign, Variant
from campaigns.published_templates import PublishedTemplate, load_template
from core.definitions import find_definition
from core.errors import ConfigError, Fault, NotFoundError
from core.suggest import did_you_mean
from customers.workspace import Workspace
from delivery.tables import MessageKind


@dataclass(frozen=True, slots=True)
class Route:
    """How one variant reaches people: what its messages have in common."""

    variant: str
    channel: str
    template: str
    kind: MessageKind
    topic: str
    sender: str | None


def check_ready(connection: Connection, workspace: Workspace, campaign: Campaign) -> Mapping[str, Route]:
    """The route of each variant. Raises ConfigError with everything that stands against a launch."""
    faults: list[Fault] = []
    routes = {}
    for variant in campaign.variants:
        try:
            template = load_template(connection, variant.content.template, variant.content.version)
        except NotFoundError as error:
            faults.append(_fault(campaign, "E120", str(error)))
            continue
        except ConfigError as error:
            faults += error.faults
            continue
        route = _route(campaign, variant, template)
        faults += [_fault(campaign, code, message) for code, message in _complaints(workspace, route, template)]
        faults += _missing_offers(connection, campaign, template)
        faults += _codes_of_nobody(connection, campaign, template)
        routes[variant.name] = route
    if faults:
        raise ConfigError(set(faults))
    return routes


def _route(campaign: Campaign, variant: Variant, template: PublishedTemplate) -> Route:
    source = template.source
    return Route(
        variant=variant.name,
        channel=variant.content.channel,
        template=variant.content.template,
        kind=campaign.kind or MessageKind(source.kind),
        topic=campaign.topic or source.topic or "",
        sender=campaign.sender or source.sender,
    )


def _complaints(workspace: Workspace, route: Route, template: PublishedTemplate) -> Iterator[tuple[str, str]]:
    name = template.slug
    if template.source.channel != route.channel:
        yield "E124", f"the template '{name}' is for {template.source.channel}, and the campaign sends {route.channel}"
    if not route.topic:
        yield "E150", f"neither the campaign nor its template '{name}' has a topic, so nobody can consent to it"
    elif route.topic not in workspace.topics:
        yield "E120", f"unknown topic '{route.topic}' {did_you_mean(route.topic, workspace.topics)}".rstrip()
    if route.sender is not None and route.sender not in workspace.senders:
        yield "E120", f"unknown sender '{route.sender}' {did_you_mean(route.sender, workspace.senders)}".rstrip()
    elif not any(sender.channel == route.channel for sender in workspace.senders.values()):
        yield "E120", f"workspace.yaml has no sender for {route.channel}: add it under `senders`"
    if route.kind is MessageKind.TRANSACTIONAL:
        if template.offers:
            yield "E153", f"the template '{name}' shows offers, and a transactional message sells nothing"
        return
    if route.channel == "email":
        if not template.compiled.has_unsubscribe_link:
            yield "E150", f"the template '{name}' has no visible unsubscribe link: add links.unsubscribe"
        if not workspace.postal_address:
            yield "E152", "workspace.yaml has no `postal_address`, which every marketing mail must be able to show"


def _missing_offers(connection: Connection, campaign: Campaign, template: PublishedTemplate) -> list[Fault]:
    wanted = template.offers | ({campaign.offer} if campaign.offer else frozenset())
    return [
        _fault(campaign, "E120", f"there is no published offer '{offer}'")
        for offer in sorted(wanted)
        if find_definition(connection, "offer", offer) is None
    ]


def _codes_of_nobody(connection: Connection, campaign: Campaign, template: PublishedTemplate) -> list[Fault]:
    """Codes of a pool that the template reads: a campaign has no step that would draw them."""
    read = {variable.path for variable in template.compiled.variables if not variable.is_optional}
    named = {slug: find_definition(connection, "offer", slug) for slug in sorted(template.offers)}
    return [
        _fault(
            campaign,
            "E123",
            f"the template '{template.slug}' reads `offers.{slug}.code`, which a campaign cannot draw from a pool: "
            "make it a static code, or send by a journey with an `offer` step",
        )
        for slug, offer in named.items()
        if f"offers.{slug}.code" in read and offer is not None and (offer.document.get("code") or {}).get("pool")
    ]


def _fault(campaign: Campaign, code: str, message: str) -> Fault:
    return Fault(campaign.file, 1, 1, code, message)
