"""Runs a simulation: chunk by chunk, each person of a chunk alone, and one query for whatever many of them ask.

Reads only. For equal input the outcome is equal: nothing depends on the clock, on chance, on the order of rows, or on
how many processes share the chunks, whose counts are added up in their order.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from core.heap import collecting_seldom
from core.runtime import Runtime
from journeys.simulation.feed import Coming, Feed
from journeys.simulation.life import Life, Reading
from journeys.simulation.people import load_customers
from journeys.simulation.plan import Plan
from journeys.simulation.store import Asked, Store
from journeys.simulation.tally import Tally
from journeys.simulation.visits import Calendar
from journeys.simulation.workers import share_out
from journeys.transition import Enrolment, JournalEntry

_PILOTS = 3  # go ahead, so that what everybody asks is read before the others come to it
_NOTHING: Coming = ((), ())
CHUNK = 2_000  # people who are held in memory, and asked about together


@dataclass(slots=True)
class Timeline:
    """What one person went through: the journal as production would write it, and where they were refused."""

    journal: list[tuple[datetime, Enrolment, JournalEntry]] = field(default_factory=list)
    refusals: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of one chunk; `looked_at` counts also those to whom nothing happened."""

    tally: Tally
    timelines: Mapping[int, Timeline]
    looked_at: int


Progress = Callable[[int], None]


def simulate(
    runtime: Runtime,
    plan: Plan,
    feed: Feed,
    *,
    followed: Sequence[int] = (),
    chunk: int = CHUNK,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Tally, dict[int, Timeline]]:
    """Let everybody whom `feed` names live through `plan`; answers the counts, and the timelines of the `followed`.

    `workers` are processes, None as many as there are cores; few people need only this one.
    """
    calendar = Calendar(plan)

    def live(ids: Sequence[int]) -> Lived:
        with runtime.database.read() as connection:
            return _live_through(connection, plan, feed, calendar, ids, frozenset(followed))

    tally, timelines = Tally(), {number: Timeline() for number in followed}
    with runtime.database.read() as connection:
        chunks = [array("q", ids) for ids in feed.iter_people(connection, chunk)]
    for lived in share_out(runtime, live, chunks, workers):
        tally.add(lived.tally)
        timelines |= lived.timelines
        if progress is not None:
            progress(lived.looked_at)
    return tally, timelines


def _live_through(
    connection: Connection, plan: Plan, feed: Feed, calendar: Calendar, ids: Sequence[int], followed: frozenset[int]
) -> Lived:
    customers = load_customers(connection, ids)
    coming = feed.coming(connection, plan, list(customers))
    visits = calendar.visits(connection, customers) if feed.follows_calendar else {}
    store, tally, timelines = Store(plan, customers), Tally(), {}
    watches = feed.watches_segments and bool(plan.watched)
    going = [number for number in customers if number in coming or number in visits or watches]

    def lives(numbers: Iterable[int]) -> Iterator[Life]:
        for number in numbers:
            keeps_journal = number in followed
            life = Life(plan, store, customers[number], tally, keeps_journal=keeps_journal, watches=watches)
            events, stated = coming.get(number, _NOTHING)
            for known in events:
                life.expect(known)
            for visit in (*stated, *visits.get(number, ())):
                life.expect_at_the_door(visit)
            yield life

    pilots, others = going[:_PILOTS], going[_PILOTS:]
    with collecting_seldom():
        for some in (*([number] for number in pilots), others):
            for life in _live(connection, store, lives(some)):
                if life.journal is not None:
                    timelines[life.customer.person.id] = Timeline(life.journal, life.refusals)
    tally.people = len(going)
    return Lived(tally, timelines, len(customers))


def _live(connection: Connection, store: Store, lives: Iterable[Life]) -> Iterator[Life]:
    """Each of them when it has lived to the end; who must wait for an answer waits with all the others.

    Most never wait, and are gone before the next one begins.
    """
    going: Iterable[tuple[Life, Reading]] = ((life, life.live()) for life in lives)
    while True:
        asked: list[Asked] = []
        waiting = []
        for life, steps in going:
            wanted = next(steps, None)
            if wanted is None:
                yield life
            else:
                asked.append(Asked(life.customer.person.id, life.now, wanted))
                waiting.append((life, steps))
        if not waiting:
            return
        store.read(connection, asked)
        going = waiting
