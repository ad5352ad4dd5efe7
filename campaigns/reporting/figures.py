"""The figures of a report as values; everything that is shown is one of these, in whatever form it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from campaigns.reporting.experiment import Experiment
from recommender.lift import OfferLift
from recommender.rule_report import ToldRule


@dataclass(frozen=True, slots=True)
class Funnel:
    """What became of everybody who was addressed, each counted once, and of the messages that went out.

    `waiting` are held until a later hour, `in_progress` are due or being sent. Opens and clicks count distinct
    messages: by people (human probability of at least 0.5) and by machines, and a message may have been opened by
    both. `opens_measured` are the delivered mails whose picture named them: the share of opened ones is one of these.
    `pictures_by_…` count how often pictures without a name were fetched, which is no count of messages. `revenue` is
    that of credited orders without what came back of them, in minor units.
    """

    held_out: int = 0
    sent: int = 0
    unknown: int = 0
    waiting: int = 0
    in_progress: int = 0
    not_sent: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    opened_by_people: int = 0
    opened_by_machines: int = 0
    clicked_by_people: int = 0
    clicked_by_machines: int = 0
    opens_measured: int = 0
    pictures_by_people: int = 0
    pictures_by_machines: int = 0
    unsubscribed: int = 0
    order_count: int = 0
    revenue: int = 0

    @property
    def addressed(self) -> int:
        """Everybody in the audience: the sum of what became of them."""
        return self.held_out + self.sent + self.not_sent_count + self.unknown + self.waiting + self.in_progress

    @property
    def not_sent_count(self) -> int:
        return sum(self.not_sent.values())


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a breakdown: a launch, a variant, a step, a campaign or a journey."""

    kind: str
    name: str
    funnel: Funnel
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Acts:
    """Opens and clicks, by people and by machines, in `[at, at + length of the series' step)`."""

    at: datetime
    opened_by_people: int = 0
    opened_by_machines: int = 0
    clicked_by_people: int = 0
    clicked_by_machines: int = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """A series without gaps; `step` is an hour or a day, counted in UTC."""

    step: timedelta
    acts: tuple[Acts, ...] = ()


@dataclass(frozen=True, slots=True)
class Offered:
    """A product in the messages: in how many it stood, and how many people clicked it."""

    sku: str
    name: str
    shown_count: int
    clicked_count: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a campaign, a journey or the whole workspace came to, as of `made_at`."""

    kind: str
    slug: str
    name: str
    workspace: str
    currency: str
    timezone: str
    made_at: datetime
    began_at: datetime | None
    funnel: Funnel
    parts: tuple[Part, ...] = ()
    activity: Activity | None = None
    experiment: Experiment | None = None
    offers: tuple[OfferLift, ...] = ()
    offered: tuple[Offered, ...] = ()
    rules: tuple[ToldRule, ...] = ()
    pauses: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data with the sums, for programs; durations in seconds."""
        document: dict[str, Any] = _plain(asdict(self))
        document["funnel"] |= _sums(self.funnel)
        for part, line in zip(self.parts, document["parts"], strict=True):
            line["funnel"] |= _sums(part.funnel)
        return document


def _sums(funnel: Funnel) -> dict[str, int]:
    return {"addressed": funnel.addressed, "not_sent_count": funnel.not_sent_count}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.total_seconds() if isinstance(value, timedelta) else value
