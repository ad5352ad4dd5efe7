"""One person on the virtual clock: what happens to them from one instant to the next, as a tick of production does it.

People do not touch each other, so each lives through the whole simulation alone, and stands still only where something
must be read of the database: `live` yields what that is, and is resumed when the store has it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any

from customers.log import NewEvent
from customers.own_events import OWN_EVENTS
from journeys.admission import Candidate
from journeys.engine import advance
from journeys.questions import ArmOf, Event, Facts
from journeys.simulation.answering import Answers
from journeys.simulation.carrying import carry
from journeys.simulation.door import let_in
from journeys.simulation.gates import Gate, Row
from journeys.simulation.memory import Known, Memory
from journeys.simulation.people import Customer, known_event
from journeys.simulation.plan import Plan
from journeys.simulation.sending import Outbox
from journeys.simulation.store import Choosing, MissingError, Store, Wanted
from journeys.simulation.tally import Tally
from journeys.simulation.visits import Visit
from journeys.simulation.watching import Watch, is_in
from journeys.steps.contract import ANY_EVENT, PROFILE_CHANGE
from journeys.steps.messages import ENDINGS
from journeys.tables import EnrolmentStatus
from journeys.transition import (
    Asked,
    Broken,
    DecideOffer,
    Due,
    Enrolment,
    HoldEnded,
    JournalEntry,
    Nudged,
    Resumed,
    TimerKind,
    Transition,
    Wake,
)
from journeys.triggers import at_the_door

_log = logging.getLogger("postilion.journeys")
_ROUNDS = 100  # of one instant; who has not come to rest by then never will

Reading = Generator[Wanted, None, None]
Deciding = Generator[Wanted, None, bool]


@dataclass(slots=True)
class Passage:
    """One run, with its timers and what it waits for."""

    enrolment: Enrolment
    number: int = 0  # of the person's runs, by which admission knows it
    timers: dict[TimerKind, datetime] = field(default_factory=dict)
    waits: tuple[str, ...] = ()


_DueTimer = tuple[datetime, str, TimerKind, Passage]


class Life:
    """What one person has, does and gets. `journal` is kept where somebody wants to read it."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        customer: Customer,
        tally: Tally,
        *,
        keeps_journal: bool = False,
        watches: bool = False,
    ) -> None:
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
        self.offered: dict[str, Mapping[str, Any]] = {}
        self.news: list[Known] = []
        self.is_changed = False
        self.journal: list[tuple[datetime, Enrolment, JournalEntry]] | None = [] if keeps_journal else None
        self.refusals: list[tuple[datetime, str]] = []
        self._coming: list[tuple[datetime, datetime, int, Known]] = []
        self._doors: list[tuple[datetime, int, Visit]] = []
        self.settling: dict[str, Candidate] = {}
        self._remembered: set[str] = set()
        self._numbers = count(plan.first_free_id)
        self._keys: set[str] = set()
        self._watch = Watch() if watches else None

    # -- what is fed in ----------------------------------------------------------------------------------------------

    def expect(self, known: Known) -> None:
        """Have this become known when it was received."""
        event = known.event
        heappush(self._coming, (event.received_at, event.occurred_at, event.id, known))

    def expect_at_the_door(self, visit: Visit) -> None:
        """Have the person come to the door at an instant, brought there by no event."""
        heappush(self._doors, (visit.at, len(self._doors), visit))

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
        if self._watch is not None or self.plan.cares_for(known.event.name):
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
        if self._watch is not None:
            yield from self._watch.look(self)
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
        instants = [self._coming[0][0]] if self._coming else []
        if self._doors:
            instants.append(self._doors[0][0])
        for passage in self.passages.values():
            instants += passage.timers.values()
        if self.outbox.waiting:
            instants += [row.due_at for row in self.outbox.waiting.values()]
        if self._watch is not None and self._watch.looks_at is not None:
            instants.append(self._watch.looks_at)
        if self.settling:
            instants += [one.settles_until for one in self.settling.values() if one.settles_until is not None]
        return min(instants, default=None)

    def _work(self) -> Reading:
        """Everything that is due now, until nothing is: events, changes, timers, holds, messages."""
        for _ in range(_ROUNDS):
            news, self.news = self.news, []
            is_changed, self.is_changed = self.is_changed, False
            doors = self._open_doors(is_changed=is_changed) if self._doors or self.settling else ()
            if len(news) > 1:
                news.sort(key=lambda one: one.order)
            for known in news:
                event = known.event
                inside = [passage for passage in self.passages.values() if self._concerns(passage, event)]
                if event.name in self.plan.entrances:
                    for candidate in at_the_door(self.plan.scene(self.now), event, self.customer.person.id):
                        yield from let_in(self, candidate)
                for passage in inside:  # who has just come in knows the event already
                    yield from self.move(passage, Nudged((event,)))
            for visit in doors:
                if visit.segment is None or (yield from is_in(self, visit.segment)):
                    yield from let_in(self, visit.candidate)
            if is_changed:
                yield from self._look_again()
            while due := self._due():
                yield from self._fire(due)
            if self.outbox.is_due(self.now):
                yield from self._ask_again()
                yield from self._deliver()
            if self._watch is not None and not (self.news or self.is_changed):
                yield from self._watch.look(self)
            if not (self.news or self.is_changed):
                return
        self.tally.restless += 1
        self._coming.clear()
        self._doors.clear()
        self.settling.clear()
        self._watch = None
        self.passages.clear()
        self.outbox.waiting.clear()

    # -- entries -----------------------------------------------------------------------------------------------------

    def _open_doors(self, *, is_changed: bool) -> list[Visit]:
        """Which visits are due, and which are asked again: after a change, and when the time to settle is over."""
        opened: list[Visit] = []
        while self._doors and self._doors[0][0] <= self.now:
            opened.append(heappop(self._doors)[2])
        again = [
            one
            for one in self.settling.values()
            if is_changed or one.settles_until is None or one.settles_until <= self.now
        ]
        return opened + [Visit(self.now, one) for one in again]

    def _concerns(self, passage: Passage, event: Event) -> bool:
        if event.name in passage.waits or ANY_EVENT in passage.waits:
            return True
        if event.name in ENDINGS and event.properties.get("origin_id") == passage.enrolment.uid:
            return True
        has_ended = passage.enrolment.status is EnrolmentStatus.ENDED
        if has_ended and passage.enrolment.goal_at is not None:
            return False
        return self.plan.interest.concerns(event.name, has_ended=has_ended)

    def enrol(self, enrolment: Enrolment) -> Passage:
        """Begin a run, which has not moved yet."""
        passage = self.passages[enrolment.uid] = Passage(enrolment, len(self.passages) + 1)
        return passage

    # -- moves -------------------------------------------------------------------------------------------------------

    def _look_again(self) -> Reading:
        """Something about the profile changed: exits may hold, and waits for a state may be over."""
        for passage in list(self.passages.values()):
            if passage.enrolment.status is EnrolmentStatus.ENDED:
                continue
            if self.plan.interest.any_exit or ANY_EVENT in passage.waits or PROFILE_CHANGE in passage.waits:
                yield from self.move(passage, Nudged())

    def _fire(self, due: Sequence[_DueTimer]) -> Reading:
        for _, _, kind, passage in due:
            del passage.timers[kind]
        for _, _, kind, passage in due:
            yield from self.move(passage, Due(kind))

    def _due(self) -> list[_DueTimer]:
        """Each run's earliest timer that has run out."""
        found = []
        for number, passage in self.passages.items():
            passed = [(at, kind) for kind, at in passage.timers.items() if at <= self.now]
            if passed:
                at, kind = min(passed)
                found.append((at, number, kind, passage))
        if len(found) > 1:
            found.sort(key=lambda one: one[:3])
        return found

    def _ask_again(self) -> Reading:
        """Of messages that were held the `if` of their step is asked once more."""
        for row in list(self.outbox.waiting.values()):
            if row.due_at <= self.now and row.first_due_at is not None and row.due_at > row.first_due_at:
                passage = self.passages[row.origin_id]
                step = self.plan.journey.by_id.get(passage.enrolment.step or "")
                if step is not None and step.condition is not None:
                    yield from self.move(passage, HoldEnded())

    def move(self, passage: Passage, wake: Wake) -> Reading:
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
            for effect in outcome.effects if plan.has_offers else ():
                if isinstance(effect, DecideOffer):
                    self.offered[effect.step] = yield from self._read(Choosing(outcome.enrolment, effect))
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
            gate: Gate = yield from self._read(row.shape)
            gates.append(gate)
        endings = [self.outbox.judge(row, claimed, gate, self.now) for row, gate in zip(claimed, gates, strict=True)]
        for row, ending in zip(claimed, endings, strict=True):
            event = self.outbox.settle(row, ending, self.now)
            if event is not None:
                self._report(row, event)
            elif ending is not None:
                self.tally.held[row.step or "", str(ending.reason)] += 1

    def _read(self, wanted: Wanted) -> Generator[Wanted, None, Any]:
        """What the store has of `wanted`, as soon as it was read."""
        while True:
            try:
                return self.store.find(wanted, self.customer.person.id, self.now)
            except MissingError as error:
                yield error.wanted

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
