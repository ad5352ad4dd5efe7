"""What happens to whom in a simulation: everybody enters once, or a file of events, or the stored history.

A feed names its people in chunks and says what each of them does, so that no more than a chunk is held in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import Connection, select

from core.database import batches
from customers.tables import ProfileStatus, customer_event, profile
from journeys.admission import Candidate
from journeys.conditions import HAPPENINGS
from journeys.entries.kinds import REQUESTED, ApiEntry, DateEntry, ScheduleEntry
from journeys.entries.slots import occurrence_of
from journeys.interest import Interest
from journeys.model import Edge, Entry, EventEntry, Journey, SegmentEntry
from journeys.questions import Event
from journeys.simulation.memory import Known
from journeys.simulation.people import known_event, load_events
from journeys.simulation.plan import Plan
from journeys.simulation.visits import Visit
from segments.language.rules import EventRule, Operator, PropertyTest, SequenceRule, Where, iter_leaves

_EDGES = frozenset({"segment_entered", "segment_left"})
Coming = tuple[Sequence[Known], Sequence[Visit]]


class Feed(Protocol):
    """`what` says in words what happens, for the report.

    With `follows_calendar` people also come by schedules, by dates and as the journey begins; with `watches_segments`
    also when they come into a segment or leave it.
    """

    @property
    def what(self) -> str: ...

    @property
    def follows_calendar(self) -> bool: ...

    @property
    def watches_segments(self) -> bool: ...

    def iter_people(self, connection: Connection, size: int) -> Iterator[Sequence[int]]:
        """Chunks of profile ids, in order, each id once."""
        ...

    def coming(self, connection: Connection, plan: Plan, ids: Sequence[int]) -> Mapping[int, Coming]:
        """What comes to each of them: events to become known when they were received, and visits at the door."""
        ...


@dataclass(frozen=True)
class Everybody:
    """Each of `ids` comes to the journey's first door once, spread evenly by a hash over `spread` from the start.

    An event that lets people in gets properties that fit its `where`, and `properties` beside them. With `in_time` only
    an event or a call comes so: schedules, dates and segments let people in when they do.
    """

    ids: Sequence[int]
    spread: timedelta = timedelta()
    seed: str = ""
    properties: Mapping[str, Any] | None = None
    in_time: bool = False

    @property
    def what(self) -> str:
        return "who enter when something lets them in" if self.in_time else "everybody enters once"

    @property
    def follows_calendar(self) -> bool:
        return self.in_time

    @property
    def watches_segments(self) -> bool:
        return self.in_time

    def iter_people(self, _connection: Connection, size: int) -> Iterator[Sequence[int]]:
        yield from batches(self.ids, size)

    def coming(self, _connection: Connection, plan: Plan, ids: Sequence[int]) -> Mapping[int, Coming]:
        doors = [one for one in plan.journey.entries if not (self.in_time and is_timed(one))]
        return {number: self._one(plan, doors[0], number) for number in ids} if doors else {}

    def _one(self, plan: Plan, entry: Entry, number: int) -> Coming:
        at = plan.start + self._delay(number)
        if isinstance(entry, EventEntry):
            properties = {**_fitting(entry.where), **({entry.key: "simulated"} if entry.key else {})}
            properties |= self.properties or {}
            return [known_event(plan.workspace, Event(0, entry.names[0], at, at, properties))], []
        if isinstance(entry, SegmentEntry) and entry.edge in (Edge.ENTER, Edge.EXIT):
            event = Event(0, entry.names[0], at, at, {"segment": entry.segment})
            return [known_event(plan.workspace, event)], []
        if isinstance(entry, ApiEntry):
            said = {"journey": plan.journey.slug, "request": str(number), "properties": dict(self.properties or {})}
            return [known_event(plan.workspace, Event(0, REQUESTED, at, at, said))], []
        occurrence = occurrence_of(entry, at.date()) if isinstance(entry, DateEntry) else at.isoformat()
        return [], [Visit(at, Candidate(plan.journey, entry, number, "", occurrence, trigger_of(entry), at))]

    def _delay(self, number: int) -> timedelta:
        seconds = int(self.spread.total_seconds())
        if not seconds:
            return timedelta()
        digest = hashlib.sha256(f"{self.seed}:entry:{number}".encode()).digest()
        return timedelta(seconds=int.from_bytes(digest[:8], "big") % seconds)


@dataclass(frozen=True)
class Stated:
    """The events of a file, by person; to `others` happens what time brings.

    Where the file tells of segments, they have no other edges.
    """

    events: Mapping[int, Sequence[Event]]
    others: Sequence[int] = ()

    @property
    def what(self) -> str:
        return "the events of a file"

    @property
    def follows_calendar(self) -> bool:
        return True

    @cached_property
    def watches_segments(self) -> bool:
        return not any(event.name in _EDGES for row in self.events.values() for event in row)

    def iter_people(self, _connection: Connection, size: int) -> Iterator[Sequence[int]]:
        yield from batches(sorted({*self.events, *self.others}), size)

    def coming(self, _connection: Connection, plan: Plan, ids: Sequence[int]) -> Mapping[int, Coming]:
        return {
            number: ([known_event(plan.workspace, event) for event in self.events.get(number, ())], [])
            for number in ids
        }


@dataclass(frozen=True)
class History:
    """The stored events of the plan's time, each known when it happened, as if the journey had been live.

    Left out is what this journey itself caused. `only` limits the people.
    """

    only: frozenset[int] | None = None

    @property
    def what(self) -> str:
        return "the stored history"

    @property
    def follows_calendar(self) -> bool:
        return True

    @property
    def watches_segments(self) -> bool:
        return False  # their edges are in the log

    def iter_people(self, connection: Connection, size: int) -> Iterator[Sequence[int]]:
        last = 0
        while True:
            query = select(profile.c.id).where(profile.c.id > last, profile.c.status != ProfileStatus.MERGED.value)
            ids = list(connection.scalars(query.order_by(profile.c.id).limit(size)))
            if not ids:
                return
            last = ids[-1]
            wanted = ids if self.only is None else [number for number in ids if number in self.only]
            if wanted:
                yield wanted

    def coming(self, connection: Connection, plan: Plan, ids: Sequence[int]) -> Mapping[int, Coming]:
        journey = plan.journey
        names = sorted({name for entry in journey.entries for name in entry.names})
        is_open_to_all = any(isinstance(entry, ScheduleEntry | DateEntry) for entry in journey.entries)
        entering = ids if is_open_to_all else _who(connection, ids, names, plan)
        found = load_events(connection, plan.vault, entering, names_of(plan), plan.start, plan.end)
        coming: dict[int, Coming] = {}
        for number, row in found.items():
            coming[number] = ([_live(known) for known in row if not _is_own(known, journey)], [])
        return coming


def is_timed(entry: Entry) -> bool:
    """Whether people come to this door when a time has come, or a segment changes: by nothing that they do."""
    return isinstance(entry, ScheduleEntry | DateEntry | SegmentEntry)


def names_of(plan: Plan) -> frozenset[str] | None:
    """The events that the journey can see; None is all of them."""
    interest: Interest = plan.interest
    if interest.any_event:
        return None
    journey = plan.journey
    names = {name for entry in journey.entries for name in entry.names} | interest.names
    rules = [*journey.top_rules, *(rule for step in journey.by_id.values() for rule in step.rules)]
    for rule in rules:
        for leaf in iter_leaves(plan.without_segments(rule)):
            if isinstance(leaf, EventRule):
                names.update(leaf.names)
            elif isinstance(leaf, SequenceRule):
                names.update(name for part in leaf.parts for name in part.names)
    return frozenset(names)


def trigger_of(entry: Entry) -> str:
    """The trigger's word in YAML."""
    return type(entry).__name__.removesuffix("Entry").lower()


def _who(connection: Connection, ids: Sequence[int], names: Sequence[str], plan: Plan) -> list[int]:
    """Those to whom anything happened that may let them in."""
    event = customer_event.c
    query = select(event.profile_id).where(
        event.profile_id.in_(ids), event.name.in_(names), event.occurred_at >= plan.start, event.occurred_at < plan.end
    )
    return list(connection.scalars(query.distinct().order_by(event.profile_id)))


def _live(known: Known) -> Known:
    event = replace(known.event, received_at=known.event.occurred_at, is_historical=False)
    return Known(event, known.plain)


_REPORTS = frozenset({"journey_entered", "journey_exited", "goal_reached"})
_ABOUT_MESSAGES = frozenset(HAPPENINGS.values())


def _is_own(known: Known, journey: Journey) -> bool:
    """Whether the event followed from this journey when it really ran."""
    said = known.event.properties
    if known.event.name in _REPORTS:
        return said.get("journey") == journey.slug
    about = known.event.name in _ABOUT_MESSAGES or known.event.name in ("task_created", "task_closed")
    return about and said.get("origin") == journey.slug


def _fitting(where: Where) -> dict[str, Any]:
    """Properties that pass simple conditions; what cannot be guessed is left out, and lets nobody in."""
    return {test.name: value for test in where if (value := _value(test)) is not None}


def _value(test: PropertyTest) -> Any:
    for one in test.matcher.comparisons:
        operand: Any = one.operand
        match one.operator:
            case Operator.IN | Operator.BETWEEN:
                operand = operand[0]
            case Operator.GT:
                operand = operand + 1
            case Operator.LT:
                operand = operand - 1
            case Operator.EXISTS:
                operand = "simulated" if operand else None
            case Operator.EQ | Operator.GTE | Operator.LTE | Operator.CONTAINS | Operator.STARTS_WITH:
                pass
            case Operator.ENDS_WITH:
                pass
            case _:
                continue
        if isinstance(operand, datetime | date):
            return operand.isoformat()
        if not isinstance(operand, timedelta):
            return operand
    return None
