"""What is simulated: which journey, from when to when, in which world, and how people answer to what they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from core.vault import Vault
from customers.workspace import Workspace
from journeys.answers import Scene
from journeys.catalogue import Admitting, Catalogue
from journeys.interest import Interest, interest_of
from journeys.model import Edge, Journey, SegmentEntry
from journeys.simulation.responses import Responses
from journeys.transition import STARTED
from segments.language.nesting import inline
from segments.language.rules import AllOf, Leaf, Rule, SegmentRule, iter_leaves
from segments.language.timing import timing_of_rule

_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class DidNotObject(Leaf):
    """Stands before each segment: who objected to marketing is in none, though a journey may go on serving them."""


@dataclass(frozen=True)
class Plan:
    """One simulation of `journey` over [start, end), with the customers of a database as they are now.

    What is stored from `start` on is not seen, unless it is fed to the simulation as what happens. Nobody is inside at
    the start, and runs of the past do not count.
    """

    journey: Journey
    catalogue: Catalogue = field(repr=False)
    vault: Vault = field(repr=False)
    start: datetime
    end: datetime
    responses: Responses = field(default_factory=Responses)
    first_free_id: int = 1  # events that the simulation makes are numbered from here
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)  # what was reckoned once for all
    _inlined: dict[int, tuple[Rule, Rule]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def workspace(self) -> Workspace:
        return self.catalogue.world.workspace

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.workspace.timezone)

    @cached_property
    def interest(self) -> Interest:
        return interest_of(self.journey)

    @cached_property
    def has_offers(self) -> bool:
        """Whether a step asks the recommender."""
        return any(step.verb.name == "offer" for step in self.journey.by_id.values())

    @cached_property
    def entrances(self) -> frozenset[str]:
        """The events that may bring somebody to the door."""
        return frozenset({STARTED}.union(*(entry.names for entry in self.journey.entries)))

    def cares_for(self, name: str) -> bool:
        """Whether an event called so may let somebody in, or matter to somebody inside before its next step."""
        interest = self.interest
        return interest.any_event or name in interest.names or name in self.entrances

    @cached_property
    def segments(self) -> Mapping[str, Rule]:
        return {slug: AllOf((DidNotObject(), rule)) for slug, rule in self.catalogue.segments.items()}

    @cached_property
    def stage(self) -> Catalogue:
        """The catalogue with this journey alone, live for everything that happens."""
        place = (self.journey.slug, self.journey.version)
        return replace(
            self.catalogue,
            journeys={place: self.journey},
            interests={place: self.interest},
            newest={self.journey.slug: self.journey},
            admitting=(Admitting(self.journey, _BEGINNING),),
        )

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """The segments whose edges let people in, or are the goal."""
        doors = [one for one in self.journey.entries if isinstance(one, SegmentEntry) and one.edge is not Edge.ONCE]
        goal = self.journey.goal
        is_goal = goal is not None and "segment_entered" in goal.names
        wanted = [test for test in goal.where if test.name == "segment"] if goal is not None and is_goal else []
        named = {str(one.operand) for test in wanted for one in test.matcher.comparisons}
        return tuple(sorted({one.segment for one in doors} | (named & self.segments.keys())))

    @cached_property
    def time_turns(self) -> bool:
        """Whether time alone can bring somebody into a watched segment, or out of it."""
        rules = self.catalogue.segments
        timings = [timing_of_rule(inline(SegmentRule(slug), rules)) for slug in self.watched]
        return any(
            one.rhythm is not None or one.expires or any(window.within for window in one.windows) for one in timings
        )

    def scene(self, now: datetime) -> Scene:
        return Scene(self.vault, self.stage, now)

    def without_segments(self, rule: Rule) -> Rule:
        """`rule` with the segments that it nests inlined; kept, since journeys ask the same few rules all the time."""
        if isinstance(rule, Leaf) and not isinstance(rule, SegmentRule):
            return rule
        known = self._inlined.get(id(rule))
        if known is None:
            nests = any(isinstance(leaf, SegmentRule) for leaf in iter_leaves(rule))
            known = self._inlined[id(rule)] = (rule, inline(rule, self.segments) if nests else rule)
        return known[1]
