"""The passage that is being moved forward: what a verb may look at, ask, note and cause.

A working copy that lives for one call of the engine. It changes only itself: effects are collected, not carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.ids import bucket, content_hash, derived_id
from core.zones import find_zone
from customers.workspace import Workspace
from delivery.front_matter import TemplateSource
from journeys.conditions import Ground, holds
from journeys.model import Journey
from journeys.questions import ArmOf, Event, Facts, Happened, Holds, Question, UnansweredError
from journeys.sealed_state import Draft, Lazy
from journeys.steps.contract import Step
from journeys.transition import Assign, Effect, Enrolment, JournalEntry, JournalKind
from segments.language.rules import Rule, SegmentRule, iter_leaves

# Entries that a decision stands behind, which may rest on what other files say at that moment.
_DECIDED = frozenset({JournalKind.STEP, JournalKind.WAITING, JournalKind.QUEUED, JournalKind.ENDED})


@dataclass(frozen=True, slots=True)
class World:
    """What is true for everybody: the workspace, and the templates in force.

    `pinned` are older versions of templates, by `name@version`; `digests` tell which contents of segments and offers
    are in force, by `segment/name` and `offer/name`; of a segment those inside it stand behind a +.
    """

    workspace: Workspace
    templates: Mapping[str, TemplateSource] = field(default_factory=dict)
    pinned: Mapping[str, TemplateSource] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def find_template(self, written: str) -> TemplateSource | None:
        """The template called `name`, or the version of it that `name@version` means."""
        return (self.pinned if "@" in written else self.templates).get(written)


def as_pinned(written: str) -> tuple[str, int | None]:
    """(name, version) of a template as a file writes it; no version is the one in force when a message is sent."""
    name, _, version = written.partition("@")
    return name, int(version) if version else None


class Run:
    """One enrolment in motion. `memo` is what the verb noted when it began to wait, None when it has just begun."""

    def __init__(self, journey: Journey, enrolment: Enrolment, facts: Facts, world: World, now: datetime) -> None:
        self.journey = journey
        self.enrolment = enrolment
        self.world = world
        self.now = now
        self.person = facts.person
        self.journal: list[JournalEntry] = []
        self.effects: list[Effect] = []
        self.used: dict[str, str] = {}
        self.results = Draft(enrolment.results)
        self.memo: Mapping[str, Any] | None = enrolment.state.get("waiting")
        self.step_entered_at = enrolment.step_entered_at or now
        self._answers = facts.answers
        state = enrolment.state
        self.visits: dict[str, int] = dict(state.get("visits", {}))
        self.taken: dict[str, list[str | int]] = dict(state.get("answers", {}))
        self.outcomes: dict[str, str] = dict(state.get("outcomes", {}))
        self.messages: dict[str, str] = dict(state.get("messages", {}))
        self.rounds: dict[str, int] = dict(state.get("rounds", {}))
        self.missed: dict[str, list[str]] = dict(state.get("missed", {}))
        self.failures: int = state.get("failures", 0)
        self.stood_still_s: float = state.get("stood_still", 0)  # what pauses have added to the wait at this step
        self.run_no: int = state.get("run", 1)
        self.chain: int = state.get("chain", 0)
        self.entry_event_id = enrolment.entry_event_id
        self.strange_zone: str | None = state.get("strange_zone")

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask(self, question: Question) -> Any:
        try:
            answer = self._answers[question]
        except KeyError:
            raise UnansweredError(frozenset({question})) from None
        if self.world.digests and type(question) is Holds:
            for leaf in iter_leaves(question.rule):
                if isinstance(leaf, SegmentRule):
                    self.use(f"segment/{leaf.slug}")
        return answer

    def holds(self, rule: Rule) -> bool:
        return holds(rule, self.ground)

    def happened(self, names: tuple[str, ...], since: datetime) -> tuple[Event, ...]:
        """Stored events from `since` on, earliest first, without the one that let the person in."""
        found: tuple[Event, ...] = self.ask(Happened(names, since))
        return tuple(event for event in found if event.id != self.entry_event_id)

    @property
    def ground(self) -> Ground:
        return Ground(
            ask=self.ask,
            now=self.now,
            zone=ZoneInfo(self.world.workspace.timezone),
            entered_at=self.enrolment.entered_at,
            step_entered_at=self.step_entered_at,
            entry=self.enrolment.entry,
            entry_event_id=self.entry_event_id,
            answers=self.taken,
            outcomes=self.outcomes,
            messages=self.messages,
            own_steps=self.journey.by_id.keys(),
            tasks=Lazy(lambda: {step: str(one["task_id"]) for step, one in self.results.items() if "task_id" in one}),
        )

    @property
    def zone(self) -> ZoneInfo:
        """The profile's zone, else the journey's, else the workspace's; a name that is no zone is journaled once."""
        stated = self.person.timezone
        own = find_zone(stated) if stated else None
        if own is not None:
            return own
        if stated and (digest := content_hash(stated)[:12]) != self.strange_zone:
            self.strange_zone = digest
            self.note(JournalKind.TIMEZONE_FALLBACK, used=self.default_zone.key)
        return self.default_zone

    @property
    def default_zone(self) -> ZoneInfo:
        return find_zone(self.journey.timezone or "") or ZoneInfo(self.world.workspace.timezone)

    @property
    def sources(self) -> Mapping[str, Any]:
        """What `{{ … }}` may read."""
        return {"entry": self.enrolment.entry, "steps": self.results}

    # -- chance ------------------------------------------------------------------------------------------------------

    def test_of(self, step: Step) -> str:
        return f"{self.journey.slug}/{step.id}"

    def arm_of(self, seed: str, test: str) -> str | None:
        """The arm this person was given before; it never moves, whatever the weights say now."""
        arm: str | None = self.ask(ArmOf(seed, test))
        return arm

    def bucket(self, seed: str) -> int:
        return bucket(seed, self.enrolment.profile_id)

    def assign(self, seed: str, test: str, arm: str) -> None:
        self.effects.append(Assign(seed, test, arm))

    # -- noting ------------------------------------------------------------------------------------------------------

    def note(self, kind: JournalKind, **data: Any) -> None:
        if self.used and kind in _DECIDED:
            data["used"], self.used = self.used, {}
        self.journal.append(JournalEntry(kind, data))

    def use(self, name: str, digest: str | None = None) -> None:
        """Note with the next decision which content of a file it was made by, where that is read when it is used."""
        digest = digest or self.world.digests.get(name)
        if digest is not None:
            self.used[name] = digest

    def step_run_id(self, step: Step) -> str:
        return derived_id(self.enrolment.uid, step.id, self.visits.get(step.id, 1))

    def state(self) -> dict[str, Any]:
        """The plain part of the enrolment as it stands now; nothing is kept that says nothing."""
        kept: dict[str, Any] = {
            "visits": self.visits,
            "answers": self.taken,
            "outcomes": self.outcomes,
            "messages": self.messages,
            "rounds": self.rounds,
            "missed": self.missed,
            "failures": self.failures,
            "stood_still": self.stood_still_s,
            "waiting": None if self.memo is None else dict(self.memo),
            "strange_zone": self.strange_zone,
            "run": self.run_no,
            "chain": self.chain,
        }
        return {name: value for name, value in kept.items() if value}
