"""What a simulation counts. Nothing here grows with the number of people, only with days, minutes and steps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any

from core.clock import to_micros
from journeys.simulation.gates import Row
from journeys.tables import EnrolmentStatus
from journeys.transition import EndReason, Enrolment, JournalEntry, JournalKind

_MINUTE = timedelta(minutes=1) // timedelta(microseconds=1)


@dataclass(slots=True)
class StepTally:
    """How one step went: `outcomes` of those who are through, `ways` they took, `standing` who is still there."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    standing: int = 0

    def add(self, other: StepTally) -> None:
        self.outcomes.update(other.outcomes)
        self.ways.update(other.ways)
        self.left.update(other.left)
        self.errors += other.errors
        self.standing += other.standing


@dataclass(slots=True)
class Tally:
    """Counts of one simulation. Days and minutes are UTC."""

    people: int = 0
    events: int = 0
    entered: int = 0
    held_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    goals: int = 0
    goals_held_out: int = 0
    goal_value: float = 0
    transitions: int = 0
    sent: Counter[tuple[date, str]] = field(default_factory=Counter)
    sent_at_step: Counter[tuple[str, str]] = field(default_factory=Counter)
    minutes: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    responses: Counter[str] = field(default_factory=Counter)
    offered: Counter[tuple[str, bool]] = field(default_factory=Counter)  # by step, and whether there was anything
    left_out: Counter[str] = field(default_factory=Counter)
    restless: int = 0
    steps: dict[str, StepTally] = field(default_factory=lambda: defaultdict(StepTally))

    def note(self, enrolment: Enrolment, entry: JournalEntry) -> None:
        """Count one entry of a journal."""
        kind, data = entry.kind, entry.data
        if kind is JournalKind.STEP:
            step = self.steps[data["step"]]
            step.outcomes[data["outcome"]] += 1
            way = _way(data)
            if way is not None:
                step.ways[way] += 1
        elif kind is JournalKind.ERROR:
            self.steps[data["step"]].errors += 1
        elif kind is JournalKind.ENDED:
            self.ended[data["reason"]] += 1
            if "step" in data:
                self.steps[data["step"]].left[data["reason"]] += 1
        elif kind is JournalKind.GOAL:
            if is_held_out(enrolment):
                self.goals_held_out += 1
            else:
                self.goals += 1
                self.goal_value += data.get("value", 0)

    def enter(self, enrolment: Enrolment) -> None:
        if enrolment.status is EnrolmentStatus.HOLDOUT:
            self.held_out += 1
        else:
            self.entered += 1

    def send(self, row: Row, now: datetime) -> None:
        self.sent[now.date(), row.channel] += 1
        self.sent_at_step[row.step or "", row.channel] += 1
        self.minutes[row.channel][to_micros(now) // _MINUTE] += 1

    def stand(self, enrolment: Enrolment) -> None:
        """Count somebody who is still inside when the simulation ends."""
        if enrolment.status is EnrolmentStatus.ACTIVE:
            self.inside += 1
            if enrolment.step is not None:
                self.steps[enrolment.step].standing += 1

    def add(self, other: Tally) -> None:
        """Take over what another part of the people was counted at. Sums of parts depend on their order: keep one."""
        for one in fields(self):
            mine, its = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Counter):
                mine.update(its)
            elif one.name == "minutes":
                for channel, minutes in its.items():
                    self.minutes[channel].update(minutes)
            elif one.name == "steps":
                for step, counts in its.items():
                    self.steps[step].add(counts)
            else:
                setattr(self, one.name, mine + its)


def _way(data: Mapping[str, Any]) -> str | None:
    """The way that was taken from a step, by its name where it has one beside its number."""
    branch = data.get("branch")
    if branch:
        return str(next((one for one in branch if isinstance(one, str)), branch[0]))
    return data.get("why")


def is_held_out(enrolment: Enrolment) -> bool:
    """Also of a run that is over: one that was held out at the door never came to a step."""
    ended_so = enrolment.end_reason == EndReason.HOLDOUT and not enrolment.state.get("visits")
    return enrolment.status is EnrolmentStatus.HOLDOUT or ended_so
