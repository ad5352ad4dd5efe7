"""A campaign as a marketer writes it: to whom, when, which content in which variants, and how its effect is measured.

The file has the shape that its schema asks for before it comes here; what is checked here is what a schema cannot know.
Whether the names in it exist is asked in `console/check.py`. Nothing is decided and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from campaigns.definition_words import (
    LONGEST_TTL,
    SHORTEST_TTL,
    parse_closed,
    parse_headers,
    parse_limits,
    parse_quiet_hours,
    parse_windows,
    report_unsupported,
)
from campaigns.moments import BEST_TIME
from campaigns.schedule import Schedule
from campaigns.send_words import parse_send
from core.definitions import get_definition
from core.durations import Duration, parse_duration
from core.errors import ConfigError, Fault, has_errors
from core.located import KeyPath, Located
from core.schema_check import check_schema
from core.suggest import did_you_mean
from customers.workspace import Hours, Limit, Workspace
from delivery.send_window import Closed
from delivery.tables import MessageKind
from segments.language.checks import check_population, check_words
from segments.language.matcher_parser import Report, parse_where
from segments.language.parser import parse_conditions
from segments.language.rules import AllOf, AnyOf, Not, Rule, SegmentRule, Where

KIND = "campaign"
CHANNELS = ("email", "sms", "voice", "letter")
DEFAULT_WINDOW = timedelta(days=7)  # in which orders count, for a campaign without a goal
_CONTENTS = frozenset({*CHANNELS, "push"})
_DEFAULT_PRIORITY = 50


class CampaignStatus(StrEnum):
    DRAFT = "draft"
    LIVE = "live"
    PAUSED = "paused"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Content:
    """One template over one channel; `version` is None for the newest."""

    channel: str
    template: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One arm. A campaign without a test has a single one, called ""."""

    name: str
    weight: Decimal
    content: Content


@dataclass(frozen=True, slots=True)
class Goal:
    """What counts as success within `within` of the launch. `value` is the property that holds the money."""

    event: str
    where: Where = ()
    within: timedelta = DEFAULT_WINDOW
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `messages` in each stretch of `per`."""

    messages: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. `send` is None for a campaign that is launched by hand; `holdout` is a percentage, 0 to 100.

    `audience` already leaves out what stands under `except`. `version` is that of the published file, 0 for one that
    was not published.
    """

    slug: str
    name: str
    status: CampaignStatus
    audience: Rule
    send: Schedule | None
    variants: tuple[Variant, ...]
    holdout: Decimal = Decimal(0)
    goal: Goal | None = None
    offer: str | None = None
    topic: str | None = None
    kind: MessageKind | None = None
    sender: str | None = None
    visible_sender: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    expires_after: Duration | None = None
    quiet_hours: Hours | None = None
    ignores_quiet_hours: bool = False
    ttl: timedelta | None = None
    send_at: time | str | None = None  # a local clock, or `moments.BEST_TIME`
    windows: Mapping[str, str] = field(default_factory=dict)
    closed: tuple[Closed, ...] = ()
    limits: tuple[Limit, ...] = ()
    ignores_limits: bool = False
    throttle: Pace | None = None
    priority: int = _DEFAULT_PRIORITY
    file: str = ""
    version: int = 0

    @property
    def window(self) -> timedelta:
        """How long after a launch orders count for or against it."""
        return self.goal.within if self.goal else DEFAULT_WINDOW

    def get_variant(self, name: str | None) -> Variant:
        """The variant called `name`, None or "" for the only one. Raises KeyError."""
        for variant in self.variants:
            if variant.name == (name or ""):
                return variant
        raise KeyError(name)


def parse_campaign(
    located: Located, file: str, workspace: Workspace | None = None
) -> tuple[Campaign | None, list[Fault]]:
    """The campaign in `located`, and everything that is wrong with it; None when it cannot be used.

    With a workspace, topics and senders that it does not have are faults, and unknown attributes and events are warned
    of. Whether segments, lists, templates and offers exist, the caller knows.
    """
    faults = check_schema(located, KIND)
    if has_errors(faults):
        return None, faults

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        faults.append(located.fault(code, path, message, hint, at_key=at_key))

    campaign = _read(located.data, report, file)
    if workspace is not None:
        check_words(campaign.audience, workspace, report)
        _check_names(campaign, workspace, report)
    return (None if has_errors(faults) else campaign), sorted(faults)


def get_campaign(connection: Connection, slug: str, version: int | None = None) -> Campaign:
    """A published campaign, by default the version in force.

    Raises NotFoundError when there is none, ConfigError when this release cannot read it.
    """
    published = get_definition(connection, KIND, slug, version)
    faults: list[Fault] = []

    def report(
        code: str,
        path: KeyPath,
        message: str,
        hint: str = "",
        *,
        at_key: bool = False,  # noqa: ARG001 # part of Report; what is published has no places any more
    ) -> None:
        faults.append(Fault(published.file, 1, 1, code, f"{'.'.join(map(str, path))}: {message}", hint))

    campaign = _read(published.document, report, published.file, published.version)
    if has_errors(faults):
        raise ConfigError(faults)
    return campaign


def _check_names(campaign: Campaign, workspace: Workspace, report: Report) -> None:
    if campaign.topic is not None and campaign.topic not in workspace.topics:
        hint = did_you_mean(campaign.topic, workspace.topics) or "add it under `topics` in workspace.yaml"
        report("E120", ("topic",), f"unknown topic '{campaign.topic}'", hint)
    if campaign.sender is not None and campaign.sender not in workspace.senders:
        hint = did_you_mean(campaign.sender, workspace.senders) or "add it under `senders` in workspace.yaml"
        report("E120", ("sender",), f"unknown sender '{campaign.sender}'", hint)


def _read(document: Mapping[str, Any], report: Report, file: str, version: int = 0) -> Campaign:
    report_unsupported(document, report)
    return Campaign(
        slug=document["campaign"],
        name=document.get("name") or document["campaign"],
        status=CampaignStatus(document.get("status", CampaignStatus.LIVE)),
        audience=_audience(document, report),
        send=parse_send(document["send"], report),
        variants=_variants(document, report),
        holdout=_percent(document.get("holdout")),
        goal=_goal(document["goal"], report) if document.get("goal") else None,
        offer=document.get("offer"),
        topic=document.get("topic"),
        kind=MessageKind(document["kind"]) if document.get("kind") else None,
        sender=document.get("sender"),
        visible_sender=document.get("from"),
        reply_to=document.get("reply_to"),
        headers=parse_headers(document.get("headers") or {}, report),
        values=document.get("with") or {},
        expires_after=parse_duration(document["expires_after"]) if document.get("expires_after") else None,
        quiet_hours=parse_quiet_hours(document["quiet_hours"]) if document.get("quiet_hours") else None,
        ignores_quiet_hours=document.get("ignore_quiet_hours", False),
        ttl=_ttl(document["ttl"], report) if "ttl" in document else None,
        send_at=_send_at(document.get("send_at")),
        windows=parse_windows(document.get("send_window") or {}, report),
        closed=parse_closed(document.get("closed") or (), report),
        limits=parse_limits(document.get("limits") or (), report),
        ignores_limits=document.get("ignore_limits", False),
        throttle=_pace(document["throttle"], report) if document.get("throttle") else None,
        priority=document.get("priority", _DEFAULT_PRIORITY),
        file=file,
        version=version,
    )


def _audience(document: Mapping[str, Any], report: Report) -> Rule:
    """`to` without anybody whom one of the conditions of `except` fits."""
    included = _conditions(document["to"], report, ("to",))
    excluded = document.get("except")
    if excluded is None:
        return included
    items = excluded if isinstance(excluded, list) else [excluded]
    paths: list[KeyPath] = [
        ("except", place) if isinstance(excluded, list) else ("except",) for place in range(len(items))
    ]
    rules = tuple(_conditions(item, report, path) for item, path in zip(items, paths, strict=True))
    return AllOf((included, Not(AnyOf(rules))))


def _conditions(data: Any, report: Report, path: KeyPath) -> Rule:
    if isinstance(data, str):
        return SegmentRule(data, path=path)
    rule = parse_conditions(data, report, path)
    check_population(rule, report)
    return rule


def _variants(document: Mapping[str, Any], report: Report) -> tuple[Variant, ...]:
    common = _content(document, report, ())
    written = document.get("variants")
    if not written:
        if common is None and not _CONTENTS & document.keys():
            report("E101", (), "nothing says what is sent", "add 'email: <template>' or 'sms: <template>'")
        return (Variant("", Decimal(1), common),) if common else ()
    if common is not None:
        message = f"'{common.channel}' stands beside 'variants', which say themselves what is sent"
        report("E103", (common.channel,), message, "keep one of the two", at_key=True)
    variants = []
    for name, arm in written.items():
        content = _content(arm, report, ("variants", name))
        if content is None and not _CONTENTS & arm.keys():
            hint = "add 'email: <template>' or 'sms: <template>'"
            report("E101", ("variants", name), f"the variant '{name}' has no template", hint, at_key=True)
        elif content is not None:
            variants.append(Variant(name, Decimal(str(arm.get("weight", 1))), content))
    return tuple(variants)


def _content(data: Mapping[str, Any], report: Report, path: KeyPath) -> Content | None:
    """The one template that `data` names, over its channel."""
    named = [channel for channel in CHANNELS if channel in data]
    for extra in named[1:]:
        message = f"'{named[0]}' and '{extra}' would reach each person twice"
        report("E103", (*path, extra), message, "keep one, and use a journey for both", at_key=True)
    if not named:
        return None
    channel = named[0]
    if not isinstance(data[channel], str):
        message = "a test inside a message is known and does not work yet"
        report("E160", (*path, channel), message, "write the arms under `variants`")
        return None
    template, _, version = data[channel].partition("@")
    return Content(channel, template, int(version) if version else None)


def _goal(document: Mapping[str, Any], report: Report) -> Goal | None:
    if "segment" in document:
        message = "reaching a segment is known as a goal and does not work yet"
        report("E160", ("goal", "segment"), message, "name an event", at_key=True)
        return None
    if "event" not in document:
        report("E101", ("goal",), "the goal names no event", "add 'event: order_placed'")
        return None
    return Goal(
        document["event"],
        where=parse_where(document.get("where") or {}, report, ("goal", "where")),
        within=parse_duration(document["within"]).as_elapsed() if document.get("within") else DEFAULT_WINDOW,
        value=document.get("value"),
    )


def _send_at(written: str | None) -> time | str | None:
    return written if written in (None, BEST_TIME) else time.fromisoformat(written)


def _ttl(text: str, report: Report) -> timedelta | None:
    length = parse_duration(text).as_elapsed()
    if not SHORTEST_TTL <= length <= LONGEST_TTL:
        report("E103", ("ttl",), "a provider tries for 5 seconds to 72 hours", "write 1h, say")
        return None
    return length


_PACES = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def _pace(text: str, report: Report) -> Pace | None:
    count, _, unit = text.partition("/")
    if int(count) == 0:
        report("E103", ("throttle",), "at this rate nothing is ever sent", "write a rate such as 50/s")
        return None
    return Pace(int(count), _PACES[unit])


def _percent(value: Any) -> Decimal:
    return Decimal(str(value or 0).removesuffix("%"))
