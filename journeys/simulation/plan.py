"""What is simulated: which journey, from when to when, in which world, and how people answer to what they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from core.vault import Vault
from customers.workspace import Workspace
from journeys.answers import Scene
from journeys.catalogue import Admitting, Catalogue
from journeys.interest import Interest, interest_of
from journeys.model import Journey
from journeys.simulation.responses import Responses
from journeys.transition import STARTED
from segments.language.nesting import inline
from segments.language.rules import AllOf, Leaf, Rule, SegmentRule, iter_leaves

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
    def entrances(self) -> frozenset[str]:
        """The events that may bring somebody to the door."""
        return frozenset({STARTED}.union(*(entry.names for entry in self.journey.entries)))

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
