"""`wait_until` with a date: of the profile's own or of the calendar, on everybody's own clock."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.test_check import faults_of
from tests.journeys.test_flow import emitted
from tests.journeys.town import WORKSPACE, Town

SHOP = WORKSPACE.replace(
    "  tier: {kind: text}\n", "  tier: {kind: text}\n  renewal: {kind: date}\n  call: {kind: instant}\n"
)
BERLIN = "Europe/Berlin"
HEAD = "journey: nap\nenter: {event: signed_up}\nsteps:\n"


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    return make_town("2026-06-01T08:00", SHOP)


def wait(town: Town, stated: str, zone: str = BERLIN, **attributes: Any) -> str | None:
    number = len(town.people)
    town.person(f"p{number}", timezone=zone, **attributes)
    text = HEAD + f"  - {{id: nap, wait_until: {stated}, on_error: [{{emit: lacks}}]}}\n  - {{emit: after}}\n"
    town.journey(text.replace("nap", f"nap{number}").replace("signed_up", f"started{number}"))
    town.log(f"started{number}", f"p{number}")
    town.work()
    return town.due(f"p{number}")


def test_a_date_is_reached_at_its_clock_in_the_zone_of_the_person_when_an_attribute_or_the_file_names_it(
    town: Town,
) -> None:
    assert wait(town, "{date: renewal}", renewal="2026-07-01") == "2026-07-01T07:00"
    assert wait(town, '{date: renewal, offset: -3d, time: "18:30"}', renewal="2026-07-01") == "2026-06-28T16:30"
    assert wait(town, "{date: renewal, offset: 1mo}", renewal="2027-01-31") == "2027-02-28T08:00"
    assert wait(town, "{date: renewal, weekday: [mon]}", renewal="2026-07-01") == "2026-07-06T07:00"
    assert wait(town, "{date: call, offset: -2h}", call="2026-07-01T12:00:00Z") == "2026-07-01T10:00"
    assert wait(town, '{date: call, time: "09:30"}', call="2026-07-01T23:00:00Z") == "2026-07-02T07:30"
    assert wait(town, "2026-12-24") == "2026-12-24T08:00"
    assert wait(town, "2026-12-24T18:00", zone="America/New_York") == "2026-12-24T23:00"
    assert wait(town, '{date: 2027-03-14, time: "02:30"}', zone="America/New_York") == "2027-03-14T07:30"


def test_people_go_on_or_leave_when_the_date_is_past_and_pass_at_once_when_it_is_now(town: Town) -> None:
    assert wait(town, "{date: renewal}", renewal="2026-05-31") is None
    assert wait(town, "{date: renewal, if_past: exit}", renewal="2026-05-31") is None
    assert wait(town, '{date: renewal, time: "10:00", if_past: exit}', renewal="2026-06-01") is None
    assert [town.runs(f"p{number}")[0][1] for number in range(3)] == ["completed", "date_past", "completed"]


def test_the_error_branch_is_taken_at_once_with_the_cause_when_the_date_is_missing_or_none(town: Town) -> None:
    assert wait(town, "{date: renewal}") is None
    assert wait(town, "{date: tier}", tier="gold") is None
    causes = [entry.data["cause"] for p in ("p0", "p1") for entry in town.entries(p) if entry.kind == "error"]
    assert causes == ["the attribute renewal is missing", "the attribute tier is no date"]
    assert emitted(town, "p0") == ["lacks", "after"]


def test_the_day_is_reckoned_anew_when_the_person_moves_to_another_zone_meanwhile(town: Town) -> None:
    assert wait(town, "{date: renewal}", renewal="2026-07-01") == "2026-07-01T07:00"
    town.run_until("2026-06-02T08:00")
    town.set("p0", timezone="America/New_York")
    town.work()
    assert town.due("p0") == "2026-07-01T13:00"
    town.run_until("2026-07-02T00:00")
    assert emitted(town, "p0") == ["after"]


def test_a_date_is_refused_with_its_place_when_it_is_none() -> None:
    head = HEAD.replace("nap", "x")
    two = "  - {id: a, wait_until: 2026-02-30}\n  - {id: b, wait_until: tomorrow}\n"
    assert faults_of(head + two) == ["E133 2026-02-30", "E103 tomorrow"]
    assert faults_of(head + "  - {id: a, wait_until: {weekday: mon, offset: 1d}}\n") == ["E103 1d"]
