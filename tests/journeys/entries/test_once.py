"""Snapshots of a segment at a journey's start, and the hours in which a journey admits people at all."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.test_check import faults_of
from tests.journeys.town import Town, at

SEGMENT = "segment: big\nwho: {attribute: visits, is: {gte: 10}}\n"
ONCE = "journey: party\nenter: {segment: big, when: once}\nreenter: never\nsteps:\n  - {id: pause, wait: 1h}\n"
WELCOME = "journey: welcome\nenter: {event: signed_up}\nsteps:\n  - {id: pause, wait: 1h}\n"


def look(town: Town, *instants: str) -> None:
    for instant in instants:
        town.clock.move_to(at(instant))
        town.refresh_segments()
        town.work()


def entered(town: Town, person: str) -> list[str]:
    return [f"{run.entered_at:%m-%dT%H:%M}Z" for run in town.enrolments(person)]


def test_those_enter_who_are_inside_at_the_start_and_nobody_later(town: Town) -> None:
    town.publish("segment", SEGMENT)
    town.person("alice", visits=20)
    town.person("bob", visits=1)
    town.refresh_segments()
    town.clock.move_to(at("2026-06-01T09:00"))
    town.journey(ONCE)
    town.set("bob", visits=30)
    look(town, "2026-06-01T09:01", "2026-06-02T09:00")
    assert (entered(town, "alice"), entered(town, "bob")) == (["06-01T09:01Z"], [])


def test_the_first_members_enter_once_when_segment_and_journey_are_published_together(town: Town) -> None:
    town.publish("segment", SEGMENT)
    town.journey(ONCE)
    town.person("alice", visits=20)
    town.work()
    look(town, "2026-06-01T08:10", "2026-06-02T08:00")
    assert entered(town, "alice") == ["06-01T08:10Z"]


def test_nobody_enters_again_when_the_journey_was_paused_or_published_anew(town: Town) -> None:
    town.publish("segment", SEGMENT)
    town.person("alice", visits=20)
    town.refresh_segments()
    town.clock.move_to(at("2026-06-01T09:00"))
    again = ONCE.replace("reenter: never", "reenter: after_exit")
    town.journey(again)
    look(town, "2026-06-01T09:01", "2026-06-01T12:00")
    town.journey(again + "status: paused\n")
    look(town, "2026-06-01T13:00")
    town.journey(again.replace("1h", "2h"))
    look(town, "2026-06-01T14:00")
    assert len(entered(town, "alice")) == 1


def test_the_snapshot_waits_for_each_clock_when_the_journey_begins_at_a_local_time(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    town.publish("segment", SEGMENT)
    for name, zone in (("berlin", "Europe/Berlin"), ("york", "America/New_York")):
        town.person(name, timezone=zone, visits=20)
    town.refresh_segments()
    town.journey(ONCE + "schedule: {from: 2026-06-02T09:00, local: true}\n")
    look(town, "2026-06-02T06:59", "2026-06-02T07:00", "2026-06-02T13:00")
    assert (entered(town, "berlin"), entered(town, "york")) == (["06-02T07:00Z"], ["06-02T13:00Z"])
    assert town.refusals() == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{from: 2026-06-01T10:00Z, to: 2026-06-01T12:00Z}", ["06-01T10:00Z", "06-01T11:59Z"]),
        ("{from: 2026-06-01T10:00, to: 2026-06-01T12:00, local: true}", []),  # 8:00 to 10:00 UTC in Berlin
        ("{from: 2026-06-01T12:00, local: true}", ["06-01T10:00Z", "06-01T11:59Z", "06-01T12:00Z"]),
    ],
)
def test_people_are_admitted_only_between_the_beginning_and_the_end(town: Town, said: str, expected: list[str]) -> None:
    town.person("alice", timezone="Europe/Berlin")
    town.journey(WELCOME.replace("wait: 1h", "wait: 1m") + f"mode: parallel\nschedule: {said}\n")
    for instant in ("09:59:59", "10:00", "11:59", "12:00"):
        town.clock.move_to(at(f"2026-06-01T{instant}"))
        town.log("signed_up", "alice")
        town.work()
    inside = [one for one in entered(town, "alice") if one != "06-01T09:59Z"]
    assert inside == expected
    assert set(town.refusals()) == ({"outside_schedule"} if len(town.enrolments()) < 4 else set())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("enter: {segment: vip, when: once, backfill: true}", ["E103 true"]),
        ("enter: {event: y}\nschedule: {from: 2026-06-02, to: 2026-06-01}", ["E103 2026-06-01"]),
        ("enter: {event: y}\nschedule: {from: 2026-06-02T10:00Z, local: true}", ["E103 2026-06-02T1"]),
        ("enter: {schedule: {every: week}, segment: vip}", ["E101 {every: week"]),
        ("enter: {schedule: {every: day, day: 3}, segment: vip}", ["E103 3"]),
        ("enter: {at: 2026-06-02, segment: vip}", ["E103 2026-06-02"]),
        ("enter: {at: 2026-06-02T10:00Z, segment: vip, local: true}", ["E103 2026-06-02T1"]),
        ("enter: {at: 2026-06-02T10:00, segment: vipp}", ["E120 vipp 'vip'?"]),
        ("enter: {api: true, schema: {type: nothing}}", ["E103 {type: nothi"]),
    ],
)
def test_what_is_wrong_with_a_trigger_is_said_at_its_place(text: str, expected: list[str]) -> None:
    found = faults_of(f"journey: x\n{text}\nsteps: []\n")
    assert [fault for fault in found if not fault.startswith(("W201", "W120"))] == expected
