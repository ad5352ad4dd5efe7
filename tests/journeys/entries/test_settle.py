"""Scenario 43: a condition that does not hold yet is asked again, for as long as `settle` says."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from customers.touches import touch
from journeys.tables import entry_settling
from tests.journeys.test_check import faults_of
from tests.journeys.town import Town, at

TRIGGER = "{event: signed_up, if: {attribute: tier, is: gold}, settle: 30m}"
JOURNEY = f"journey: welcome\nenter: {TRIGGER}\nsteps:\n  - {{id: pause, wait: 1d}}\n"


def sign_up(town: Town, journey: str = JOURNEY) -> None:
    town.person("alice")
    town.journey(journey)
    town.log("signed_up", "alice")
    town.work()


def look(town: Town, instant: str) -> None:
    town.clock.move_to(at(f"2026-06-01T{instant}"))
    town.work()


def waiting(town: Town) -> int:
    with town.runtime.database.read() as connection:
        return len(connection.execute(select(entry_settling)).all())


def test_somebody_enters_when_the_attribute_arrives_while_the_condition_settles(town: Town) -> None:
    """Scenario 43."""
    sign_up(town)
    assert (town.runs(), town.refusals(), waiting(town)) == ([], [], 1)
    look(town, "08:10")
    town.set("alice", tier="gold")
    town.work()
    assert [f"{run.entered_at:%H:%M}" for run in town.enrolments()] == ["08:10"]
    look(town, "08:45")
    assert (town.refusals(), waiting(town)) == ([], 0)


def test_somebody_is_refused_at_once_when_nothing_may_settle(town: Town) -> None:
    """Scenario 43."""
    sign_up(town, JOURNEY.replace(", settle: 30m", ""))
    assert town.refusals() == ["condition"]


@pytest.mark.parametrize(("arrives", "enters"), [("08:29:59", True), ("08:30", False)])
def test_the_end_of_settling_is_not_part_of_it(town: Town, arrives: str, enters: bool) -> None:
    sign_up(town)
    look(town, "08:20")
    town.set("alice", tier="tin")
    look(town, arrives)
    town.set("alice", tier="gold")
    town.work()
    look(town, "08:31")
    assert (len(town.runs()), town.refusals()) == ((1, []) if enters else (0, ["condition"]))


def test_a_change_is_seen_when_the_engine_stood_still_until_settling_was_over(town: Town) -> None:
    sign_up(town)
    town.clock.move_to(at("2026-06-01T08:10"))
    town.set("alice", tier="gold")
    look(town, "09:30")
    assert [f"{run.entered_at:%H:%M}" for run in town.enrolments()] == ["09:30"]


def test_nobody_settles_twice_into_one_run_when_everything_is_read_again(town: Town) -> None:
    sign_up(town)
    with town.runtime.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE cursor_position SET transaction_no = 0, row_id = 0")
    town.work()
    assert waiting(town) == 1
    town.set("alice", tier="gold")
    town.work()
    town.work()
    assert len(town.runs()) == 1


def test_an_erased_person_is_refused_when_their_condition_was_to_be_asked_again(town: Town) -> None:
    sign_up(town)
    town.erase("alice")
    with town.runtime.database.transaction() as connection:
        touch(connection, [town.people["alice"]])
    look(town, "08:05")
    assert (town.runs(), town.refusals(), waiting(town)) == ([], ["erased"], 0)


def test_nobody_enters_a_journey_that_was_paused_while_their_condition_settled(town: Town) -> None:
    sign_up(town)
    town.journey(JOURNEY + "status: paused\n")
    town.set("alice", tier="gold")
    look(town, "08:10")
    look(town, "08:30")
    assert (town.runs(), town.refusals(), waiting(town)) == ([], ["condition"], 0)


def test_settling_without_a_condition_is_a_fault() -> None:
    assert faults_of("journey: x\nenter: {event: y, settle: 30m}\nsteps: []\n") == ["E103 settle: 30m"]
