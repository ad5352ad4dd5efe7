"""One person on the virtual clock: what happens to them from one instant to the next, as a tick of production does it.

People do not touch each other, so each lives through the whole simulation alone, and stands still only where something
must be read of the database: `live` yields what that is, and is resumed when the store has it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from core.zones import find_zone
from customers.log import NewEvent
from customers.own_events import OWN_EVENTS
from journeys.admission import Admit, Candidate, PastRun, Settle, Standing, admit, is_held_out
from journeys.conditions import Ground, holds
from journeys.engine import advance
from journeys.questions import ArmOf, Event, Facts, UnansweredError
from journeys.simulation.answering import Answers
from journeys.simulation.carrying import carry
from journeys.simulation.gates import Gate, Row
from journeys.simulation.memory import Known, Memory
from journeys.simulation.people import Customer, known_event
from journeys.simulation.plan import Plan
from journeys.simulation.sending import Outbox
from journeys.simulation.store import MissingError, Store, Wanted
from journeys.simulation.tally import Tally
from journeys.steps.contract import ANY_EVENT, PROFILE_CHANGE
from journeys.steps.holdout import HELD_OUT, TREATED
from journeys.steps.messages import ENDINGS
from journeys.tables import EnrolmentStatus
from journeys.transition import (
    Asked,
    Broken,
    Due,
    Ended,
    EndReason,
    Enrolment,
    Entered,
    HoldEnded,
    JournalEntry,
    Nudged,
    Resumed,
    TimerKind,
    Transition,
    Wake,
)
from journeys.triggers import at_the_door, new_enrolment

_log = logging.getLogger("postilion.journeys")
_ROUNDS = 100  # of one instant; who has not come to rest by then never will

Reading = Generator[Wanted, None, None]
Deciding = Generator[Wanted, None, bool]


@dataclass(slots=True)
class Passage:
    """One run, with its timers and what it waits for."""

    enrolment: Enrolment
    timers: dict[TimerKind, datetime] = field(default_factory=dict)
    waits: tuple[str, ...] = ()


class Life:
    """What one person has, does and gets. `journal` is kept where somebody wants to read it."""

    def __init__(self, plan: Plan, store: Store, customer: Customer, tally: Tally, *, keeps_journal: bool) -> None:
        self.plan = plan
        self.store = store
        self.customer = customer
        self.tally = tally
        self.now = plan.start
        self.passages: dict[str, Passage] = {}
        self.memory = Memory()
        self.outbox = Outbox()
        self.arms: dict[ArmOf, str] = {}
        self.set_values: dict[str, Any] = {}
        self.lists: dict[str, bool] = {}
        self.news: list[Known] = []
        self.is_changed = False
        self.journal: list[tuple[datetime, Enrolment, JournalEntry]] | None = [] if keeps_journal else None
        self.refusals: list[tuple[datetime, str]] = []
        self._coming: list[tuple[datetime, datetime, int, Known]] = []
        self._doors: list[tuple[datetime, int, Candidate]] = []
        self._settling: dict[str, Candidate] = {}
        self._remembered: set[str] = set()
        self._numbers = count(plan.first_free_id)
        self._keys: set[str] = set()

    # -- what is fed in ----------------------------------------------------------------------------------------------

    def expect(self, known: Known) -> None:
        """Have this become known when it was received."""
        event = known.event
        heappush(self._coming, (event.received_at, event.occurred_at, event.id, known))

    def expect_at_the_door(self, candidate: Candidate) -> None:
        """Have the person come to the door at an instant, brought there by no event."""
        heappush(self._doors, (candidate.at, len(self._doors), candidate))

    def happen(self, name: str, key: str, properties: Mapping[str, Any]) -> None:
        """Something happens now, by the simulation itself; the same key happens once."""
        if key not in self._keys:
            self._keys.add(key)
            event = self._event(name, self.now, properties)
            is_ours = name in OWN_EVENTS  # which hold nothing that would be sealed
            self._hear(Known(event, properties) if is_ours else known_event(self.plan.workspace, event))

    def _event(self, name: str, at: datetime, properties: Mapping[str, Any]) -> Event:
        return Event(next(self._numbers), name, at, at, properties)

    def _hear(self, known: Known) -> None:
        self.memory.add(known)
        self.news.append(known)

    def remember(self, name: str) -> None:
        """Know what was called `name` before the simulation. Raises MissingError while that is unread."""
        if name not in self._remembered:
            for known in self.store.history(name, self.customer.person.id):
                self.memory.add(known)
            self._remembered.add(name)

    # -- time --------------------------------------------------------------------------------------------------------

    def live(self) -> Reading:
        """Live until the plan's end; yields what must be read before it can go on."""
        while (instant := self._next()) is not None and instant < self.plan.end:
            self.now = max(instant, self.plan.start)
            while self._coming and self._coming[0][0] <= self.now:
                self._hear(heappop(self._coming)[3])
                self.tally.events += 1
            yield from self._work()
        for passage in self.passages.values():
            self.tally.stand(passage.enrolment)
        self.tally.pending += len(self.outbox.waiting)

    def _next(self) -> datetime | None:
        instants = [one[0][0] for one in (self._coming, self._doors) if one]
        instants += [min(passage.timers.values()) for passage in self.passages.values() if passage.timers]
        instants += [row.due_at for row in self.outbox.waiting.values()]
        instants += [one.settles_until for one in self._settling.values() if one.settles_until is not None]
        return min(instants, default=None)

    def _work(self) -> Reading:
        """Everything that is due now, until nothing is: events, changes, timers, holds, messages."""
        for _ in range(_ROUNDS):
            news, self.news = self.news, []
            is_changed, self.is_changed = self.is_changed, False
            doors = self._open_doors(is_changed=is_changed)
            for known in sorted(news, key=lambda one: one.order) if len(news) > 1 else news:
                yield from self._ingest(known.event)
            for candidate in doors:
                yield from self._let_in(candidate)
            if is_changed:
                yield from self._look_again()
            yield from self._fire()
            if self.outbox.waiting:
                yield from self._ask_again()
                yield from self._deliver()
            if not (self.news or self.is_changed):
                return
        self.tally.restless += 1
        self._coming.clear()
        self._doors.clear()
        self._settling.clear()
        self.passages.clear()
        self.outbox.waiting.clear()

    # -- entries -----------------------------------------------------------------------------------------------------

    def _open_doors(self, *, is_changed: bool) -> list[Candidate]:
        """Who comes now, and who is asked again: after a change, and when the time to settle is over."""
        opened = []
        while self._doors and self._doors[0][0] <= self.now:
            opened.append(heappop(self._doors)[2])
        over = [one for one in self._settling.values() if one.settles_until is None or one.settles_until <= self.now]
        return opened + (list(self._settling.values()) if is_changed else over)

    def _ingest(self, event: Event) -> Reading:
        """Let the event bring people in, and tell those who are inside; who has just come in knows it already."""
        inside = [passage for number, passage in self.passages.items() if self._concerns(number, event)]
        if event.name in self.plan.entrances:
            for candidate in at_the_door(self.plan.scene(self.now), event, self.customer.person.id):
                yield from self._let_in(candidate)
        for passage in inside:
            yield from self._move(passage, Nudged((event,)))

    def _concerns(self, enrolment_id: str, event: Event) -> bool:
        passage = self.passages[enrolment_id]
        if event.name in passage.waits or ANY_EVENT in passage.waits:
            return True
        if event.name in ENDINGS and event.properties.get("origin_id") == enrolment_id:
            return True
        has_ended = passage.enrolment.status is EnrolmentStatus.ENDED
        if has_ended and passage.enrolment.goal_at is not None:
            return False
        return self.plan.interest.concerns(event.name, has_ended=has_ended)

    def _let_in(self, candidate: Candidate) -> Reading:
        if candidate.enrolment_uid in self.passages:
            return  # this very occurrence was seen before
        fits = yield from self._fits(candidate)
        customer = self.customer
        standing = Standing(
            status=customer.person.status,
            is_unreachable=customer.is_unreachable,
            fits=fits,
            runs=[_past(passage.enrolment) for passage in self.passages.values()],
            zone=self._own_zone or self._default_zone,
            default_zone=self._default_zone,
            has_zone=self._own_zone is not None,
        )
        decision = admit(candidate, standing, self.now)
        self._settling.pop(candidate.enrolment_uid, None)
        if isinstance(decision, Settle):
            self._settling[candidate.enrolment_uid] = replace(candidate, settles_until=decision.until)
            return
        if not isinstance(decision, Admit):
            self.tally.refused[decision.reason.value] += 1
            self.refusals.append((self.now, decision.reason.value))
            return
        ended = [passage for passage in self.passages.values() if passage.enrolment.id in decision.restarts]
        for old in ended:
            yield from self._move(old, Ended(EndReason.RESTARTED))
        held_out = yield from self._is_held_out(candidate)
        enrolment = new_enrolment(candidate, decision, {candidate} if held_out else set(), self.now)
        enrolment = replace(enrolment, id=len(self.passages) + 1)
        passage = self.passages[enrolment.uid] = Passage(enrolment)
        self.tally.enter(enrolment)
        yield from self._move(passage, Entered(candidate.trigger))

    def _fits(self, candidate: Candidate) -> Deciding:
        condition = candidate.entry.condition
        if condition is None:
            return True
        entered_at = candidate.entered_at(self.now)
        while True:
            answers = Answers(self)
            ground = Ground(
                ask=answers.ask, now=self.now, zone=self.plan.zone, entered_at=entered_at, step_entered_at=entered_at,
                entry=candidate.properties,
            )  # fmt: skip
            try:
                return holds(condition, ground)
            except UnansweredError:
                yield from answers.missing

    def _is_held_out(self, candidate: Candidate) -> Deciding:
        holdout = self.plan.journey.holdout
        if holdout is None:
            return False
        test = ArmOf(holdout.seed, f"{self.plan.journey.slug}/holdout")
        while (arm := self._arm(test)) is MISSING:
            yield test
        if arm is None:
            arm = self.arms[test] = HELD_OUT if is_held_out(holdout, self.customer.person.id) else TREATED
        return bool(arm == HELD_OUT)

    def _arm(self, test: ArmOf) -> Any:
        if test in self.arms:
            return self.arms[test]
        try:
            return self.store.find(test, self.customer.person.id, self.now)
        except MissingError:
            return MISSING

    @property
    def _own_zone(self) -> ZoneInfo | None:
        return find_zone(self.customer.person.timezone or "")

    @property
    def _default_zone(self) -> ZoneInfo:
        return find_zone(self.plan.journey.timezone or "") or self.plan.zone

    # -- moves -------------------------------------------------------------------------------------------------------

    def _look_again(self) -> Reading:
        """Something about the profile changed: exits may hold, and waits for a state may be over."""
        for passage in list(self.passages.values()):
            if passage.enrolment.status is EnrolmentStatus.ENDED:
                continue
            if self.plan.interest.any_exit or ANY_EVENT in passage.waits or PROFILE_CHANGE in passage.waits:
                yield from self._move(passage, Nudged())

    def _fire(self) -> Reading:
        while due := self._due():
            for _, _, kind, passage in due:
                del passage.timers[kind]
            for _, _, kind, passage in due:
                yield from self._move(passage, Due(kind))

    def _due(self) -> list[tuple[datetime, str, TimerKind, Passage]]:
        """Each run's earliest timer that has run out."""
        found = []
        for number, passage in self.passages.items():
            if passage.timers and (first := min((at, kind) for kind, at in passage.timers.items()))[0] <= self.now:
                found.append((first[0], number, first[1], passage))
        return sorted(found, key=lambda one: one[:3]) if len(found) > 1 else found

    def _ask_again(self) -> Reading:
        """Of messages that were held the `if` of their step is asked once more."""
        for row in list(self.outbox.waiting.values()):
            if row.due_at <= self.now and row.first_due_at is not None and row.due_at > row.first_due_at:
                passage = self.passages[row.origin_id]
                step = self.plan.journey.by_id.get(passage.enrolment.step or "")
                if step is not None and step.condition is not None:
                    yield from self._move(passage, HoldEnded())

    def _move(self, passage: Passage, wake: Wake) -> Reading:
        """Move one run as far as it goes now, by the engine of production."""
        plan, person = self.plan, self.customer.person
        while True:
            answers = Answers(self)
            facts = Facts(person, answers)
            try:
                outcome = advance(plan.journey, passage.enrolment, facts, plan.catalogue.world, wake, self.now)
            except Exception as error:
                if isinstance(wake, Broken):
                    raise
                _log.exception("the journey %s failed at the step %s", plan.journey.slug, passage.enrolment.step)
                wake = Broken(type(error).__name__)
                continue
            if isinstance(outcome, Asked):
                yield from answers.missing
                continue
            self._take(passage, outcome)
            if not outcome.is_unfinished:
                return
            wake = Resumed(outcome.steps_done)

    def _take(self, passage: Passage, outcome: Transition) -> None:
        passage.enrolment = outcome.enrolment
        for entry in outcome.journal:
            self.tally.note(outcome.enrolment, entry)
            if self.journal is not None:
                self.journal.append((self.now, outcome.enrolment, entry))
        self.tally.transitions += bool(outcome.journal)
        for effect in outcome.effects:
            carry(self, passage, effect)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _deliver(self) -> Reading:
        claimed = self.outbox.claim(self.now)
        gates: list[Gate] = []
        for row in claimed:
            gate = yield from self._gate(row)
            gates.append(gate)
        endings = [self.outbox.judge(row, claimed, gate, self.now) for row, gate in zip(claimed, gates, strict=True)]
        for row, ending in zip(claimed, endings, strict=True):
            event = self.outbox.settle(row, ending, self.now)
            if event is not None:
                self._report(row, event)
            elif ending is not None:
                self.tally.held[row.step or "", str(ending.reason)] += 1

    def _gate(self, row: Row) -> Generator[Wanted, None, Gate]:
        while True:
            try:
                gate: Gate = self.store.find(row.shape, self.customer.person.id, self.now)
            except MissingError as error:
                yield error.wanted
            else:
                return gate

    def _report(self, row: Row, event: NewEvent) -> None:
        self.happen(event.name, event.key, event.properties)
        if event.name != "message_sent":
            self.tally.skipped[row.step or "", str(event.properties.get("reason", ""))] += 1
            return
        self.tally.send(row, self.now)
        for response in self.plan.responses.of(row.id, row.channel, self.now):
            if response.at < self.plan.end:
                self.tally.responses[response.name] += 1
                answered = self._event(response.name, response.at, {**event.properties, "is_human": True})
                self.expect(Known(answered, answered.properties))


MISSING = object()


def _past(enrolment: Enrolment) -> PastRun:
    return PastRun(
        enrolment.id, enrolment.uid, enrolment.key, enrolment.status, enrolment.entered_at, enrolment.end_reason
    )  # fmt: skip
