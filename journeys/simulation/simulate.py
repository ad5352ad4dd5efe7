"""Runs a simulation: chunk by chunk, each person of a chunk alone, and one query for whatever many of them ask.

Reads only. For equal input the outcome is equal: nothing depends on the clock, on chance, or on the order of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from core.runtime import Runtime
from journeys.simulation.feed import Feed
from journeys.simulation.life import Life, Reading
from journeys.simulation.people import load_customers
from journeys.simulation.plan import Plan
from journeys.simulation.store import Asked, Store
from journeys.simulation.tally import Tally
from journeys.transition import Enrolment, JournalEntry

_PILOTS = 3  # go ahead, so that what everybody asks is read before the others come to it
CHUNK = 2_000  # people who are held in memory, and asked about together


@dataclass(slots=True)
class Timeline:
    """What one person went through: the journal as production would write it, and where they were refused."""

    journal: list[tuple[datetime, Enrolment, JournalEntry]] = field(default_factory=list)
    refusals: list[tuple[datetime, str]] = field(default_factory=list)


Progress = Callable[[int], None]


def simulate(
    runtime: Runtime,
    plan: Plan,
    feed: Feed,
    *,
    followed: Sequence[int] = (),
    chunk: int = CHUNK,
    progress: Progress | None = None,
) -> tuple[Tally, dict[int, Timeline]]:
    """Let everybody whom `feed` names live through `plan`; answers the counts, and the timelines of the `followed`."""
    tally, timelines = Tally(), {number: Timeline() for number in followed}
    with runtime.database.read() as listing, runtime.database.read() as connection:
        for ids in feed.iter_people(listing, chunk):
            customers = load_customers(connection, ids)
            coming = feed.coming(connection, plan, list(customers))
            store = Store(plan, customers)
            lives = []
            for number, customer in customers.items():
                if number not in coming:
                    continue
                life = Life(plan, store, customer, tally, keeps_journal=number in timelines)
                events, candidates = coming[number]
                for known in events:
                    life.expect(known)
                for candidate in candidates:
                    life.expect_at_the_door(candidate)
                lives.append(life)
            for life in lives[:_PILOTS]:
                _live(connection, store, [life])
            _live(connection, store, lives[_PILOTS:])
            for life in lives:
                if life.journal is not None:
                    timeline = timelines[life.customer.person.id]
                    timeline.journal += life.journal
                    timeline.refusals += life.refusals
            tally.people += len(lives)
            if progress is not None:
                progress(len(customers))
    return tally, timelines


def _live(connection: Connection, store: Store, lives: Sequence[Life]) -> None:
    """Let all of them live to the end; who must wait for an answer waits with all the others."""
    going: list[tuple[Life, Reading]] = [(life, life.live()) for life in lives]
    while going:
        asked: list[Asked] = []
        waiting = []
        for life, steps in going:
            wanted = next(steps, None)
            if wanted is not None:
                asked.append(Asked(life.customer.person.id, life.now, wanted))
                waiting.append((life, steps))
        store.read(connection, asked)
        going = waiting
