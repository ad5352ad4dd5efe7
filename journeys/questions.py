"""What the engine may ask about a person, and the answers it was given.

The engine is pure: when it lacks an answer it says which, and is run again with it. Whoever asks for many people at
once can therefore answer each question for all of them in one query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from core.ids import content_hash
from customers.tables import ProfileStatus
from segments.language.rules import Happening, Rule, Where


class Holds(Struct, frozen=True, gc=False):
    """Does this condition hold now? Answer: bool."""

    rule: Rule


class Happened(Struct, frozen=True, gc=False):
    """Which events of these names are stored with `occurred_at >= since`? Answer: tuple[Event, ...], earliest first."""

    names: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class ArmOf:
    """Which arm was this person given under this seed in this test? Answer: its name, or None."""

    seed: str
    test: str


@dataclass(frozen=True, slots=True)
class Reward:
    """What counts as success: an event called `event`, or that the message of `step` met with `was`."""

    event: str | None = None
    step: str | None = None
    was: Happening = Happening.CLICKED
    where: Where = ()

    @property
    def digest(self) -> str:
        """Tells one reward from another: what was earned by one says nothing of the other."""
        return content_hash(f"{self.event}|{self.step}|{self.was}|{self.where}")[:12]


@dataclass(frozen=True, slots=True)
class Earned:
    """What have the arms of a bandit earned, of what happened before `known_until`? The same for everybody.

    Answer: Mapping[str, tuple[int, int]], successes and failures of each arm that was drawn.
    """

    test: str
    reward: Reward
    known_until: datetime


@dataclass(frozen=True, slots=True)
class ProfileValues:
    """What do texts about this person read as `profile.*`? Answer: Mapping[str, Any], opened; kept for one tick."""


@dataclass(frozen=True, slots=True)
class ReadingHabits:
    """At which hours does this person open and click, and everybody? Answer: delivery.best_time.Habits."""


Question = Holds | Happened | ArmOf | Earned | ProfileValues | ReadingHabits


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the customer log with all its properties, sealed ones included."""

    id: int
    name: str
    occurred_at: datetime
    received_at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_historical: bool = False  # imported: lets nobody in

    @property
    def order(self) -> tuple[datetime, int]:
        return (self.occurred_at, self.id)


@dataclass(frozen=True, slots=True)
class Person:
    """What is always known of a profile: whether it is still there, and the zone that it names."""

    id: int
    status: ProfileStatus = ProfileStatus.ACTIVE
    timezone: str | None = None
    merged_into: int | None = None


class Facts(Struct, frozen=True, gc=False):
    """One person, and the answers to the questions asked so far."""

    person: Person
    answers: Mapping[Question, Any] = {}


class UnansweredError(Exception):
    """Some answers are missing. Never leaves the engine."""

    def __init__(self, questions: frozenset[Question]) -> None:
        self.questions = questions
        super().__init__(f"{len(questions)} questions are open")
