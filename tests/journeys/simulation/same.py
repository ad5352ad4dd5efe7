"""The law of simulation: fed with what was fed to the town, it writes the journals that the town wrote."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from customers.log import logged_event
from customers.tables import customer_event
from journeys.answers import as_event
from journeys.catalogue import get_catalogue
from journeys.questions import Event
from journeys.simulation.feed import Stated
from journeys.simulation.plan import Plan
from journeys.simulation.responses import Responses
from journeys.simulation.simulate import Timeline, simulate
from journeys.simulation.tally import Tally
from journeys.tables import enrolment, journal
from tests.journeys.town import Town, at

Line = tuple[str, str, str, Any]
FIRST_FREE = 1_000_000


def plan_of(town: Town, slug: str, start: str, end: str, responses: Responses | None = None) -> Plan:
    with town.runtime.database.read() as connection:
        catalogue = get_catalogue(connection)
    return Plan(
        catalogue.newest[slug], catalogue, town.runtime.vault, at(start), at(end), responses or Responses(), FIRST_FREE
    )


def fed_to(town: Town) -> dict[int, list[Event]]:
    """What tests have logged, by person; the rest of the log is what the town itself made of it."""
    with town.runtime.database.read() as connection:
        rows = connection.execute(
            select(customer_event).where(customer_event.c.source == "test").order_by(customer_event.c.id)
        ).all()
        fed: dict[int, list[Event]] = {number: [] for number in town.people.values()}
        for row in rows:
            fed[row.profile_id].append(as_event(town.runtime.vault, logged_event(row)))
    return fed


def replayed(town: Town, slug: str, start: str, end: str) -> tuple[Tally, dict[int, Timeline]]:
    """The same events, on the virtual clock."""
    plan = plan_of(town, slug, start, end)
    return simulate(town.runtime, plan, Stated(fed_to(town)), followed=list(town.people.values()), chunk=3)


def simulated(timelines: dict[int, Timeline]) -> list[Line]:
    return sorted(
        (
            (one.uid, f"{instant.isoformat()} {number:05}", entry.kind.value, dict(entry.data))
            for timeline in timelines.values()
            for number, (instant, one, entry) in enumerate(timeline.journal)
        ),
        key=lambda line: line[:2],
    )


def produced(town: Town, slug: str) -> list[Line]:
    query = select(journal, enrolment.c.uid).join(enrolment, enrolment.c.id == journal.c.enrolment_id)
    with town.runtime.database.read() as connection:
        rows = connection.execute(
            query.where(enrolment.c.journey == slug).order_by(enrolment.c.uid, journal.c.seq)
        ).all()
    return [(row.uid, f"{row.at.isoformat()} {number:05}", row.kind, row.data) for number, row in enumerate(rows)]


def bare(lines: list[Line]) -> list[Line]:
    """Without the numbers that only keep the order."""
    return [(owner, instant.rsplit(" ", 1)[0], kind, data) for owner, instant, kind, data in lines]
