"""What a chunk of people knows of the database: each question is put for all of them at once, and the answer is kept.

A condition that only rows of the person decide has one answer for the whole simulation. One that time can turn once is
asked for the first and the last instant, and asked again only of those for whom the two differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from core.clock import from_micros, to_micros
from journeys.answers import answer
from journeys.carrying.offers import decide_step_offers
from journeys.questions import Holds, Question
from journeys.simulation.gates import Gate, Shape, gather_gates
from journeys.simulation.memory import Known
from journeys.simulation.people import Customer, load_events
from journeys.simulation.plan import Plan
from journeys.transition import DecideOffer, Enrolment
from segments.language.timing import BY_THE_QUARTER, timing_of_rule

_NOW = timedelta(0)


@dataclass(frozen=True, slots=True)
class History:
    """What people did before the simulation began, of events called so."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Choosing:
    """Which products one run is offered at a step of it. Each asks for itself."""

    enrolment: Enrolment
    effect: DecideOffer


Wanted = Question | History | Shape | Choosing


class MissingError(Exception):
    """Something must be read first. Never leaves the simulation."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        super().__init__(str(wanted))


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what, and when."""

    profile_id: int
    now: datetime
    wanted: Wanted


class Store:
    """Answers by person; `find` raises MissingError until `read` was called with what it names."""

    def __init__(self, plan: Plan, customers: Mapping[int, Customer]) -> None:
        self._plan = plan
        self.customers = customers
        self._ids = sorted(customers)
        self._lasting: dict[Wanted, dict[int, Any]] = {}
        self._momentary: dict[tuple[Wanted, int], tuple[datetime, Any]] = {}
        self._history: dict[str, Mapping[int, Sequence[Known]]] = {}

    def find(self, wanted: Wanted, profile_id: int, now: datetime) -> Any:
        known = self._lasting.get(wanted)
        if known is not None and profile_id in known:
            return known[profile_id]
        last = self._momentary.get((wanted, profile_id))
        if last is None or last[0] != now:
            raise MissingError(wanted)
        return last[1]

    def history(self, name: str, profile_id: int) -> Sequence[Known]:
        if name not in self._history:
            raise MissingError(History(name))
        return self._history[name].get(profile_id, ())

    def read(self, connection: Connection, asked: Iterable[Asked]) -> None:
        """Read everything that is missing, a query for each question however many ask it."""
        askers: dict[Wanted, list[Asked]] = defaultdict(list)
        for one in asked:
            askers[one.wanted].append(one)
        choosing = [(one, wanted) for wanted in askers if isinstance(wanted, Choosing) for one in askers[wanted]]
        self._choose(connection, choosing)
        for wanted, those in askers.items():
            if isinstance(wanted, History):
                self._read_history(connection, wanted.name)
            elif isinstance(wanted, Shape):
                self._read_gates(connection, wanted, those)
            elif isinstance(wanted, Choosing):
                continue
            elif not isinstance(wanted, Holds):
                self._lasting[wanted] = self._ask(connection, wanted, self._ids, self._plan.start)
            else:
                self._read_condition(connection, wanted, those)

    def _read_condition(self, connection: Connection, wanted: Holds, those: Sequence[Asked]) -> None:
        timing = timing_of_rule(wanted.rule)
        if timing.rhythm is None and all(window.within == _NOW for window in timing.windows):
            if timing.windows or timing.expires:
                self._read_lasting_or_not(connection, wanted, those)
            else:
                self._lasting[wanted] = self._ask(connection, wanted, self._ids, self._plan.start)
            return
        # What turns with quarters of an hour has one answer until the next.
        rhythm = BY_THE_QUARTER if timing.rhythm == BY_THE_QUARTER and not timing.windows else None
        self._read_momentary(connection, wanted, those, rhythm)

    def _read_gates(self, connection: Connection, shape: Shape, those: Sequence[Asked]) -> None:
        if shape not in self._lasting:
            gates = self._ask(connection, shape, self._ids, self._plan.start)
            self._lasting[shape] = {number: gate for number, gate in gates.items() if gate.is_lasting}
        turning = [one for one in those if one.profile_id not in self._lasting[shape]]
        self._read_momentary(connection, shape, turning, None)

    def _read_lasting_or_not(self, connection: Connection, wanted: Wanted, those: Sequence[Asked]) -> None:
        if wanted in self._lasting:
            self._read_momentary(connection, wanted, those, None)
            return
        first = self._ask(connection, wanted, self._ids, self._plan.start)
        last = self._ask(connection, wanted, self._ids, self._plan.end)
        self._lasting[wanted] = {number: one for number, one in first.items() if one == last[number]}
        turning = [one for one in those if one.profile_id not in self._lasting[wanted]]
        self._read_momentary(connection, wanted, turning, None)

    def _read_momentary(
        self, connection: Connection, wanted: Wanted, those: Sequence[Asked], rhythm: timedelta | None
    ) -> None:
        instants: dict[datetime, list[Asked]] = defaultdict(list)
        for one in those:
            instants[_floor(one.now, rhythm)].append(one)
        for instant, some in sorted(instants.items()):
            found = self._ask(connection, wanted, sorted({one.profile_id for one in some}), instant)
            for one in some:
                self._momentary[wanted, one.profile_id] = (one.now, found[one.profile_id])

    def _ask(self, connection: Connection, wanted: Wanted, ids: Sequence[int], now: datetime) -> dict[int, Any]:
        plan = self._plan
        if isinstance(wanted, Shape):
            gates: dict[int, Gate] = gather_gates(connection, plan, wanted, ids, now)
            return gates
        assert not isinstance(wanted, History | Choosing)
        found = answer(connection, plan.scene(now), [(number, wanted) for number in ids])
        return {number: found.get((number, wanted)) for number in ids}

    def _choose(self, connection: Connection, choosing: Iterable[tuple[Asked, Choosing]]) -> None:
        """Let the recommender decide for all who come to a step at one instant; nothing is kept of it."""
        instants: dict[datetime, list[tuple[Asked, Choosing]]] = defaultdict(list)
        for asked, wanted in choosing:
            instants[asked.now].append((asked, wanted))
        for now, some in sorted(instants.items(), key=lambda one: one[0]):
            wanting = [(replace(wanted.enrolment, id=asked.profile_id), wanted.effect) for asked, wanted in some]
            found = decide_step_offers(connection, self._plan.scene(now), wanting, records=False)
            for asked, wanted in some:
                self._momentary[wanted, asked.profile_id] = (now, found[asked.profile_id][wanted.effect.step])

    def _read_history(self, connection: Connection, name: str) -> None:
        plan = self._plan
        self._history[name] = load_events(connection, plan.vault, self._ids, (name,), None, plan.start)


def _floor(instant: datetime, rhythm: timedelta | None) -> datetime:
    if rhythm is None:
        return instant
    return from_micros(to_micros(instant) // (step := rhythm // timedelta(microseconds=1)) * step)
