"""What an operator sees of the engine: whether it lives, how late it is, what is held back, and who is to be moved."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from console.doctor.finding import Level
from console.doctor.journey_engine import examine
from console.plan import find_catalogue
from console.stranding import versions_of
from core.claims import take_lease
from journeys.lateness import read_lateness
from journeys.overview import read_overview
from journeys.places import Moving, iter_moving
from journeys.standing import count_standing
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town, at

HEAD = "journey: x\nenter: {event: signed_up}\ndefaults: {topic: marketing}\n"
NAP = HEAD + "steps: [{id: nap, wait: 1h}, {id: letter, email: letter}, {id: rest, wait: 9d}]\n"


def doctor(town: Town) -> tuple[Level, str]:
    """The level and the sentence of the only finding."""
    patient: Any = SimpleNamespace(database=town.runtime.database, now=town.clock.now())
    (finding,) = examine(patient)
    return finding.level, finding.text


def enter(town: Town, *names: str) -> None:
    for name in names:
        if name not in town.people:
            town.person(name)
        town.log("signed_up", name)


def test_nothing_is_late_until_a_minute_after_it_was_due(town: Town) -> None:
    town.journey(NAP)
    enter(town, "alice", "bob")
    town.work()
    for instant, count in (("2026-06-01T09:00:59", 0), ("2026-06-01T09:01:00", 2)):
        town.clock.move_to(at(instant))
        with town.runtime.database.read() as connection:
            late = read_lateness(connection, town.clock.now())
        assert sum(late.timers.values()) == count
    assert late.timers == {("x", 1): 2}
    assert late.lag(town.clock.now()) == timedelta(minutes=1)


def test_events_are_late_when_nobody_has_looked_at_them(town: Town) -> None:
    town.journey(NAP)
    town.work()
    enter(town, "alice")
    town.clock.move_to(at("2026-06-01T08:05"))
    with town.runtime.database.read() as connection:
        assert read_lateness(connection, town.clock.now()).event_at == at("2026-06-01T08:00")


def test_what_stands_still_for_a_reason_is_not_late(town: Town) -> None:
    town.journey(NAP)
    enter(town, "alice")
    town.work()
    town.journey(NAP + "status: paused\n")
    town.clock.move_to(at("2026-06-02T08:00"))
    with town.runtime.database.read() as connection:
        assert not read_lateness(connection, town.clock.now()).lag(town.clock.now())


def test_the_doctor_says_what_waits_and_whether_anybody_works_on_it(town: Town) -> None:
    assert doctor(town) == (Level.NOTE, "no journey was applied yet")
    town.journey(NAP)
    enter(town, "alice")
    town.work()
    assert doctor(town) == (Level.NOTE, "no engine runs, and nothing is late")
    town.clock.move_to(at("2026-06-01T09:03"))
    assert doctor(town) == (Level.WRONG, "no engine runs, and 1 timer has been waiting for 3 minutes")
    with town.runtime.database.transaction() as connection:
        take_lease(connection, "heartbeat", "me", town.clock.now(), timedelta(hours=5))
    assert doctor(town) == (Level.WARNING, "the engine is behind: 1 timer has been waiting for 3 minutes")
    town.clock.move_to(at("2026-06-01T12:30"))
    assert doctor(town) == (Level.WRONG, "the engine lives, but 1 timer has been waiting for 3 hours")
    town.work()
    assert doctor(town) == (Level.FINE, "the engine lives, and nothing is late")


def test_the_list_counts_who_waits_what_is_held_and_what_is_late(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T21:30")
    town.journey(NAP.replace("steps", "quiet_hours: {from: '22:00', to: '08:00'}\nsteps"))
    enter(town, "alice", "bob")
    town.run_until("2026-06-01T23:00")
    enter(town, "carol")
    town.work()
    town.clock.move_to(at("2026-06-02T01:00"))
    with town.runtime.database.read() as connection:
        (line,) = read_overview(connection, at("2026-06-01T22:00"), town.clock.now())
    assert (line.waiting, line.entered, line.held, line.late) == (3, 1, 2, 1)


def test_a_plan_tells_from_where_to_where_people_of_every_older_version_go(town: Town) -> None:
    town.journey(NAP)
    enter(town, "alice", "bob")
    town.run_until("2026-06-01T10:00")
    enter(town, "carol")
    town.work()
    town.journey(NAP.replace("1h", "2h"))
    enter(town, "dave")
    town.work()
    town.journey(HEAD + "migrate: {removed: {rest: nap}}\nsteps: [{id: nap, wait: 5d}]\n")
    with town.runtime.database.read() as connection:
        catalogue = find_catalogue(connection)
        assert catalogue is not None
        found = list(iter_moving(versions_of(catalogue, "x"), catalogue.newest["x"], count_standing(connection, "x")))
    assert found == [Moving(1, "nap", "nap", 1), Moving(1, "rest", "nap", 2), Moving(2, "nap", "nap", 1)]
