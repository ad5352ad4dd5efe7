"""A journey as it was written, checked and given its kinds: who enters, what ends it, and the tree of its steps.

Values only. `definition` reads them from YAML, `engine` acts on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from core.durations import Duration
from journeys.entries.kinds import Admissions, ApiEntry, DateEntry, ScheduleEntry
from journeys.sending_words import Sending
from journeys.steps.contract import Mention, Step, iter_steps
from journeys.steps.message_options import Options
from segments.language.rules import Rule, Where

DEFAULT_MAX_STAY = Duration(days=365)
DEFAULT_MAX_AGE = Duration(hours=24)
SHORTEST_RHYTHM = timedelta(minutes=1)  # at which a segment may be asked about


class JourneyStatus(StrEnum):
    """Only a live journey admits people; a draft or archived one lets those finish who are inside."""

    DRAFT = "draft"
    LIVE = "live"
    PAUSED = "paused"
    ARCHIVED = "archived"


class Mode(StrEnum):
    """What an entry does while a run with the same key is active."""

    SINGLE = "single"
    RESTART = "restart"
    PARALLEL = "parallel"


class Edge(StrEnum):
    """`ONCE` is no edge: whoever is inside when the journey begins."""

    ENTER = "enter"
    EXIT = "exit"
    ONCE = "once"


class Freeze(StrEnum):
    """What the timers of a paused journey do."""

    FREEZE = "freeze"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Enters at an event of one of `names`; `key` is the property that gives each of its values a run of its own.

    For so long as `settle` says the condition is asked again whenever the profile changes.
    """

    names: tuple[str, ...]
    where: Where = ()
    condition: Rule | None = None
    key: str | None = None
    max_age: Duration = DEFAULT_MAX_AGE
    settle: Duration | None = None


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """Enters when the profile comes into the segment, or leaves it; `backfill` admits those who are in it already.

    With the edge `ONCE` those enter who are in it when the journey begins, and nobody afterwards. The segment's members
    are asked for at least as often as `check_every` says.
    """

    segment: str
    edge: Edge = Edge.ENTER
    backfill: bool = False
    condition: Rule | None = None
    check_every: Duration | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return ("segment_left",) if self.edge is Edge.EXIT else ("segment_entered",)


@dataclass(frozen=True, slots=True)
class StartedEntry:
    """Enters because a step of another journey says so; no file says this, it is always possible."""

    condition: Rule | None = None
    names: tuple[str, ...] = ()


Entry = EventEntry | SegmentEntry | ScheduleEntry | DateEntry | ApiEntry | StartedEntry


@dataclass(frozen=True, slots=True)
class Reentry:
    """Whether somebody may come again, asked while no run is active."""

    is_allowed: bool = True
    every: Duration | None = None
    max: int | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """What counts as success: an event, or coming into a segment, within `within` of entering (None: `max_stay`)."""

    names: tuple[str, ...]
    where: Where = ()
    within: Duration | None = None
    value: str | None = None
    exits: bool = False


@dataclass(frozen=True, slots=True)
class Holdout:
    """`percent` is 0 to 100, exact."""

    percent: Decimal
    seed: str


@dataclass(frozen=True)
class Journey:
    """One version of one journey."""

    slug: str
    entries: tuple[Entry, ...]
    steps: tuple[Step, ...]
    name: str = ""
    version: int = 0
    status: JourneyStatus = JourneyStatus.DRAFT
    admissions: Admissions = field(default_factory=Admissions)
    mode: Mode = Mode.SINGLE
    reentry: Reentry = field(default_factory=Reentry)
    goal: Goal | None = None
    exits: tuple[Rule, ...] = ()
    holdout: Holdout | None = None
    epoch: int = 1
    priority: int = 50
    sending: Sending = field(default_factory=Sending)
    timezone: str | None = None
    max_stay: Duration = DEFAULT_MAX_STAY
    exits_on_error: bool = False
    freeze: Freeze = Freeze.FREEZE
    defaults: Options = field(default_factory=Options)
    removed: Mapping[str, str] = field(default_factory=dict)  # steps that are gone: where their people go on
    mentions: tuple[Mention, ...] = ()
    top_rules: tuple[Rule, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in iter_steps(self.steps)}

    @cached_property
    def next_of(self) -> Mapping[str, str | None]:
        """The step that follows each one when its blocks are through; None is the end."""
        following: dict[str, str | None] = {}
        _link(self.steps, None, following)
        return following

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What was reckoned from this version alone, for whoever needs it again."""
        return {}

    @property
    def first(self) -> str | None:
        return self.steps[0].id if self.steps else None

    @property
    def goal_within(self) -> Duration:
        return self.goal.within if self.goal and self.goal.within else self.max_stay


def _link(steps: Sequence[Step], after: str | None, following: dict[str, str | None]) -> None:
    for place, step in enumerate(steps):
        below = steps[place + 1].id if place + 1 < len(steps) else after
        following[step.id] = below
        for name, block in step.blocks.items():
            # Whoever has gone through the rounds of a `repeat` comes back to it, to be asked for the next.
            back = step.id if step.verb.name == "repeat" and name == "do" else below
            _link(block, back, following)
