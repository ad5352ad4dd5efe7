"""What `workspace.yaml` says, as values: attributes, events, topics, senders, hours and limits of one shop.

The file has been checked against its schema before it is published; here it only gets its kinds. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from email.utils import formataddr, parseaddr
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from core.definitions import get_definition, list_hashes
from core.durations import Duration, parse_duration
from core.errors import ConflictError, NotFoundError

# Words of workspace.yaml that are read and that nothing acts on yet: to promise them would be a lie.
NOT_YET: tuple[tuple[str, ...], ...] = (
    ("approve",),
    ("tracking", "domain"),
)

_KIND = "workspace"
_MOST_PARSED = 16
_parsed: dict[str, Workspace] = {}  # by content hash; it is asked for with every batch, and seldom changes
_UNITS = {"s": 1, "m": 60, "h": 3_600}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ValueKind(StrEnum):
    """What an attribute or an event property holds."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    kind: ValueKind
    is_personal: bool = False


@dataclass(frozen=True, slots=True)
class EventSpec:
    """The properties that are declared, and may therefore stand in the log in clear."""

    properties: Mapping[str, ValueKind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topic:
    """`kind` is "marketing" or "transactional"."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who messages come from: the name that is shown (may be empty) and the bare address or number.

    `unsubscribe_address` is read by us: mail to it withdraws consent. `replies` names the templates by which a number
    answers STOP, START and HELP; for what is missing the provider answers. `transport` is the sender's own choice among
    those of its channel; `voice` reads its calls aloud.
    """

    name: str
    channel: str
    address: str
    reply_to: str | None = None
    configuration_set: str | None = None
    unsubscribe_address: str | None = None
    replies: Mapping[str, str] = field(default_factory=dict)
    transport: str | None = None
    voice: str | None = None

    @property
    def mailbox(self) -> str:
        """`Name <address>`, as a From header has it (RFC 5322)."""
        return formataddr((self.name, self.address)) if self.name else self.address


@dataclass(frozen=True, slots=True)
class Hours:
    """Local hours [start, end), over midnight when `end` is before `start`; no channels means every channel."""

    start: time
    end: time
    then: str = "wait"  # wait | drop
    no_timezone: str = "use_default"  # use_default | send | skip
    channels: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset(range(7))  # Monday is 0
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `messages` in any stretch of `per`; None is the whole journey."""

    messages: int
    per: Duration | None
    channel: str | None = None
    topic: str | None = None
    scope: str = "workspace"
    then: str = "skip"


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A new sender's mails: `first_day` of them on the day `start`, and each day `factor` times as many."""

    start: date
    first_day: int
    factor: float


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """A system that is called with what happens: `events` by name, None for all; at most `batch` of them a call."""

    url: str
    events: frozenset[str] | None = None
    is_personal: bool = False
    batch: int = 100


@dataclass(frozen=True, slots=True)
class Workspace:
    """One shop. `global_holdout` is a percentage, 0 to 100; `tracking` is as written (domain, opens, utm)."""

    slug: str
    name: str
    timezone: str
    currency: str
    locale: str = "en_GB"
    country: str | None = None
    postal_address: str | None = None
    brand: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)
    events: Mapping[str, EventSpec] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)
    senders: Mapping[str, Sender] = field(default_factory=dict)
    quiet_hours: Hours | None = None
    legal_hours: tuple[Hours, ...] = ()
    limits: tuple[Limit, ...] = ()
    global_holdout: Decimal = Decimal(0)
    tracking: Mapping[str, Any] = field(default_factory=dict)
    retention: Mapping[str, Duration] = field(default_factory=dict)
    approve_above: int | None = None
    domain_pace: Mapping[str, float] = field(default_factory=dict)  # mails a second, by the recipients' domain
    warm_up: WarmUp | None = None
    webhooks: Mapping[str, WebhookSpec] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # own words on pages, by language and name
    content_hash: str = field(default="", compare=False)  # of the published version; empty for a file that is none

    def get_sender(self, channel: str, name: str | None = None) -> Sender:
        """The sender called `name`, or the first of `channel`."""
        if name is not None and name in self.senders:
            return self.senders[name]
        for sender in self.senders.values() if name is None else ():
            if sender.channel == channel:
                return sender
        wanted = f"no sender named {name!r}" if name else f"no sender for {channel}"
        raise NotFoundError(f"workspace.yaml has {wanted}: add it under `senders`.")


def get_workspace(connection: Connection) -> Workspace:
    """The published workspace. Raises NotFoundError when there is none, ConflictError when there are several."""
    published = list_hashes(connection, _KIND)
    if not published:
        raise NotFoundError("no workspace is published: write workspace.yaml and run `postilion apply`.")
    if len(published) > 1:
        names = ", ".join(slug for slug, _ in published)
        raise ConflictError(f"this database holds several workspaces ({names}): give each a database of its own.")
    ((slug, digest),) = published
    known = _parsed.get(digest)
    if known is None:
        document = get_definition(connection, _KIND, slug).document
        known = replace(parse_workspace(document), content_hash=digest)
        if len(_parsed) >= _MOST_PARSED:
            _parsed.clear()
        _parsed[digest] = known
    return known


def iter_not_yet(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The paths in a checked document of words that do not work yet."""
    for path in NOT_YET:
        value: Any = document
        for word in path:
            value = value.get(word) if isinstance(value, Mapping) else None
        if value is not None:
            yield path


def parse_workspace(document: Mapping[str, Any]) -> Workspace:
    """The checked document of `workspace.yaml` as values."""
    slug = document["workspace"]
    name = document.get("name") or slug
    return Workspace(
        slug=slug,
        name=name,
        timezone=document["timezone"],
        currency=document["currency"],
        locale=document.get("locale") or "en_GB",
        country=document.get("country"),
        postal_address=document.get("postal_address"),
        brand={"name": name, **_mapping(document, "brand")},
        attributes={
            key: AttributeSpec(ValueKind(spec["kind"]), bool(spec.get("personal")))
            for key, spec in _mapping(document, "attributes").items()
        },
        events={key: _event(spec) for key, spec in _mapping(document, "events").items()},
        topics={
            key: Topic(spec.get("name") or key, spec["kind"]) for key, spec in _mapping(document, "topics").items()
        },
        senders={key: _sender(spec) for key, spec in _mapping(document, "senders").items()},
        quiet_hours=_hours(document["quiet_hours"]) if document.get("quiet_hours") else None,
        legal_hours=tuple(_hours(item) for item in document.get("legal_hours") or ()),
        limits=tuple(_limit(item) for item in document.get("limits") or ()),
        global_holdout=_percent(document.get("global_holdout")),
        tracking=_mapping(document, "tracking"),
        retention={key: parse_duration(text) for key, text in _mapping(document, "retention").items()},
        approve_above=_mapping(document, "approve").get("above"),
        domain_pace={name.lower(): _per_second(rate) for name, rate in _domains(document).items()},
        warm_up=_warm_up(_mapping(document, "pace").get("warm_up")),
        webhooks={key: _webhook(spec) for key, spec in _mapping(document, "webhooks").items()},
        texts=_mapping(document, "texts"),
    )


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return document.get(key) or {}


def _event(spec: Mapping[str, Any] | None) -> EventSpec:
    return EventSpec({key: ValueKind(kind) for key, kind in _mapping(spec or {}, "properties").items()})


def _sender(spec: Mapping[str, Any]) -> Sender:
    name, address = parseaddr(spec["from"]) if "@" in spec["from"] else ("", spec["from"])
    return Sender(
        name,
        spec["channel"],
        address,
        spec.get("reply_to"),
        spec.get("configuration_set"),
        spec.get("unsubscribe_address"),
        _mapping(spec, "replies"),
        spec.get("transport"),
        spec.get("voice"),
    )


def _webhook(spec: Mapping[str, Any]) -> WebhookSpec:
    events = None if spec["events"] == "all" else frozenset(spec["events"])
    return WebhookSpec(spec["url"], events, bool(spec.get("personal")), spec.get("batch", 100))


def _hours(spec: Mapping[str, Any]) -> Hours:
    days = spec.get("weekday") or _WEEKDAYS
    return Hours(
        start=time.fromisoformat(spec["from"]),
        end=time.fromisoformat(spec["to"]),
        then=spec.get("then", "wait"),
        no_timezone=spec.get("no_timezone", "use_default"),
        channels=frozenset(spec.get("channels") or ()),
        weekdays=frozenset(_WEEKDAYS.index(day) for day in _listed(days)),
        country=spec.get("country"),
    )


def _limit(spec: Mapping[str, Any]) -> Limit:
    return Limit(
        messages=spec["messages"],
        per=None if spec["per"] == "journey" else parse_duration(spec["per"]),
        channel=spec.get("channel"),
        topic=spec.get("topic"),
        scope=spec.get("scope", "workspace"),
        then=spec.get("then", "skip"),
    )


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _domains(document: Mapping[str, Any]) -> Mapping[str, str]:
    return _mapping(_mapping(document, "pace"), "domains")


def _per_second(rate: str) -> float:
    """`20/s`, `600/m` or `1000/h` in messages a second."""
    count, _, unit = rate.partition("/")
    return int(count) / _UNITS[unit]


def _warm_up(spec: Mapping[str, Any] | None) -> WarmUp | None:
    if not spec:
        return None
    return WarmUp(date.fromisoformat(str(spec["start"])), spec["first_day"], float(spec.get("factor", 2)))


def _percent(value: Any) -> Decimal:
    return Decimal(str(value or 0).rstrip("%"))
