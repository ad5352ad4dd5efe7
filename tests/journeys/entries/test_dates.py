"""Scenarios 13 and 14: birthdays and other dates, kept by each person's own clock."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.durations import parse_offset
from journeys.entries.dates import bases_of, days_kept_on
from journeys.entries.kinds import LeapDay
from tests.journeys.conftest import MakeTown
from tests.journeys.test_check import faults_of
from tests.journeys.town import WORKSPACE, Town, at

WITH_DATES = WORKSPACE.replace(
    "attributes:\n",
    "attributes:\n"
    "  birthday: {kind: date, personal: true}\n"
    "  renewal: {kind: date}\n"
    "  wedding: {kind: date, personal: true}\n",
)
LETTER = "steps:\n  - {id: letter, email: letter, topic: marketing}\n"
BIRTHDAY = "journey: birthday\nenter: {date: birthday, repeat: yearly}\n" + LETTER


@pytest.fixture(autouse=True)
def _dates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.journeys.town.WORKSPACE", WITH_DATES)


def town_at(make_town: MakeTown, start: str) -> Town:
    return make_town(start, WITH_DATES)


def look(town: Town, *instants: str) -> None:
    for instant in instants:
        town.clock.move_to(at(instant))
        town.work()


def entered(town: Town, person: str) -> list[str]:
    return [f"{run.entered_at:%Y-%m-%dT%H:%M}Z" for run in town.enrolments(person)]


@pytest.mark.parametrize(
    ("leap_day", "expected"),
    [
        ("feb28", ["2027-02-28T08:00Z", "2028-02-29T08:00Z"]),
        ("mar1", ["2027-03-01T08:00Z", "2028-02-29T08:00Z"]),
        ("skip", ["2028-02-29T08:00Z"]),
    ],
)
def test_a_birthday_on_the_leap_day_is_kept_as_the_trigger_says_in_other_years(
    make_town: MakeTown, leap_day: str, expected: list[str]
) -> None:
    """Scenario 13."""
    town = town_at(make_town, "2027-02-20T12:00")
    town.person("alice", timezone="Europe/Berlin", birthday="2000-02-29")
    town.journey(BIRTHDAY.replace("yearly", f'yearly, time: "09:00", leap_day: {leap_day}'))
    for year in (2027, 2028):
        for day in ("02-28", "02-29", "03-01"):
            if (year, day) != (2027, "02-29"):
                look(town, f"{year}-{day}T07:59", f"{year}-{day}T08:00", f"{year}-{day}T12:00")
    assert entered(town, "alice") == expected


def test_a_birthday_that_was_changed_comes_no_sooner_than_300_days_after_the_last(make_town: MakeTown) -> None:
    """Scenario 14."""
    town = town_at(make_town, "2026-04-20T12:00")
    town.person("alice", timezone="UTC", birthday="1990-05-01")
    town.journey(BIRTHDAY)
    look(town, "2026-05-01T09:00", "2026-06-01T09:00")
    town.set("alice", birthday="1990-12-01")
    look(town, "2026-06-01T09:01", "2026-12-01T09:00")
    assert entered(town, "alice") == ["2026-05-01T09:00Z"]
    assert town.refusals("alice") == ["too_soon"]
    look(town, "2027-05-01T09:00", "2027-12-01T09:00")
    assert entered(town, "alice") == ["2026-05-01T09:00Z", "2027-12-01T09:00Z"]


def test_somebody_enters_at_once_when_the_date_is_set_on_the_day_after_its_time(make_town: MakeTown) -> None:
    town = town_at(make_town, "2026-06-09T12:00")
    for name in ("alice", "bob", "carol"):
        town.person(name, timezone="Europe/Berlin")
    town.journey(BIRTHDAY)
    look(town, "2026-06-10T07:00", "2026-06-10T15:00")
    town.set("alice", birthday="1990-06-10")
    town.set("bob", birthday="1990-06-09")  # 32 hours ago
    town.set("carol", birthday="1990-05-01")  # past: next year
    look(town, "2026-06-10T15:01")
    assert {name: entered(town, name) for name in town.people} == {
        "alice": ["2026-06-10T15:01Z"], "bob": [], "carol": [],
    }  # fmt: skip
    look(town, "2027-05-01T07:00", "2027-06-09T07:00", "2027-06-10T07:00")
    assert {name: len(entered(town, name)) for name in town.people} == {"alice": 2, "bob": 1, "carol": 1}


@pytest.mark.parametrize("attribute", ["birthday", "renewal", "wedding"])
@pytest.mark.parametrize("repeat", ["never", "yearly"])
def test_dates_are_found_when_they_are_plain_and_when_they_are_sealed(
    make_town: MakeTown, attribute: str, repeat: str
) -> None:
    town = town_at(make_town, "2026-06-09T12:00")
    for name, day in (("alice", "2026-06-10"), ("bob", "2020-06-10"), ("carol", "2026-06-11")):
        town.person(name)
        town.set(name, **{attribute: day})
    town.journey(f"journey: dates\nenter: {{date: {attribute}, repeat: {repeat}}}\n" + LETTER)
    look(town, "2026-06-10T08:59")
    assert town.enrolments() == []
    look(town, "2026-06-10T09:00", "2026-06-10T20:00")
    expected = {"alice", "bob"} if repeat == "yearly" else {"alice"}
    assert {name for name in town.people if entered(town, name)} == expected


def test_an_offset_moves_the_date_when_a_reminder_comes_before_it(make_town: MakeTown) -> None:
    town = town_at(make_town, "2026-06-01T00:00")
    town.person("alice", renewal="2026-06-10")
    town.journey('journey: dates\nenter: {date: renewal, offset: -3d, time: "18:00"}\n' + LETTER)
    look(town, "2026-06-07T17:59", "2026-06-07T18:00", "2026-06-10T18:00")
    assert entered(town, "alice") == ["2026-06-07T18:00Z"]


def test_a_date_that_was_moved_within_a_day_is_kept_once_more_and_never_twice_on_one_day(make_town: MakeTown) -> None:
    town = town_at(make_town, "2026-06-09T00:00")
    town.person("alice", renewal="2026-06-10")
    town.journey("journey: dates\nenter: {date: renewal}\nmode: parallel\n" + LETTER)
    look(town, "2026-06-10T09:00")
    for change, instant in enumerate(("2026-06-10T10:00", "2026-06-10T11:00", "2026-06-10T12:00")):
        town.set("alice", renewal="2026-06-12" if change == 1 else "2026-06-10", visits=change)
        look(town, instant)
    assert entered(town, "alice") == ["2026-06-10T09:00Z"]


def test_the_condition_of_a_date_is_asked_on_the_day(make_town: MakeTown) -> None:
    town = town_at(make_town, "2026-06-09T12:00")
    town.person("alice", birthday="1990-06-10", tier="gold")
    town.person("bob", birthday="1990-06-10", tier="tin")
    town.journey(BIRTHDAY.replace("yearly", "yearly, if: {attribute: tier, is: gold}"))
    look(town, "2026-06-10T09:00")
    assert (len(entered(town, "alice")), town.refusals("bob")) == (1, ["condition"])


@pytest.mark.parametrize("offset", ["0d", "-3d", "2w", "1mo", "-1mo", "1y1mo3d"])
def test_every_base_of_a_day_leads_back_to_it(offset: str) -> None:
    by = parse_offset(offset)
    for step in range(0, 800, 7):
        day = date(2027, 1, 29) + timedelta(days=step)
        for base in bases_of(by, day):
            assert base in bases_of(by, day)
            assert abs((day - base).days - by.as_elapsed().days) <= 6


def test_the_leap_day_is_kept_by_its_substitute_only_in_years_without_it() -> None:
    assert days_kept_on(date(2027, 2, 28), LeapDay.FEB28) == [(2, 28), (2, 29)]
    assert days_kept_on(date(2028, 2, 28), LeapDay.FEB28) == [(2, 28)]
    assert days_kept_on(date(2027, 3, 1), LeapDay.MAR1) == [(3, 1), (2, 29)]
    assert days_kept_on(date(2027, 3, 1), LeapDay.SKIP) == [(3, 1)]


def test_a_leap_day_without_a_repetition_is_a_fault() -> None:
    assert "E103 leap_day: ma" in faults_of("journey: x\nenter: {date: renewal, leap_day: mar1}\nsteps: []\n")
