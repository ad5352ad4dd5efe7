"""Scenarios 10 to 12 as far as journeys are concerned: who enters by a schedule or at a moment, and when."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from core.database import Database
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.entries.rounds import find_rounds
from journeys.tick import tick_until_idle
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town, at

EVERYBODY = "segment: everybody\nwho: {attribute: visits, is: {gte: 0}}\n"
LETTER = "steps:\n  - {id: letter, email: letter, topic: marketing}\n"
HEAD = "journey: club\nenter: {at: 2026-05-01T09:00, segment: everybody, local: true}\n"
DAILY = 'journey: club\nenter: {schedule: {every: day, at: "02:30"}, segment: everybody, local: true}\n'


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


def populate(town: Town, zones: Iterable[str | None]) -> None:
    """One person in each zone, called as the zone's city, or `nowhere`."""
    town.publish("segment", EVERYBODY)
    for zone in zones:
        town.person("nowhere" if zone is None else zone.rpartition("/")[2].lower(), timezone=zone, visits=1)
    town.refresh_segments()


def entered(town: Town, person: str) -> list[str]:
    return [f"{run.entered_at:%m-%dT%H:%M}Z" for run in town.enrolments(person)]


def wake(town: Town, start: str, end: str, every: timedelta) -> None:
    """Have the engine look from `start` to `end`, as it does in life each second."""
    instant = at(start)
    while instant <= at(end):
        town.plan(instant.isoformat(), lambda: None)
        instant += every


def test_everybody_enters_by_their_own_clock_when_a_moment_is_local(make_town: MakeTown) -> None:
    """Scenario 10."""
    town = make_town("2026-04-29T12:00")
    zones = ["Pacific/Kiritimati", "Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles", "Pacific/Pago_Pago"]
    populate(town, zones)
    town.journey(HEAD + LETTER)
    for instant in ("04-30T18:59", "04-30T19:00", "05-01T00:00", "05-01T07:00", "05-01T16:00", "05-01T20:00"):
        town.plan(f"2026-{instant}", lambda: None)
    town.run_until("2026-05-03T00:00")
    assert {name: entered(town, name) for name in town.people} == {
        "kiritimati": ["04-30T19:00Z"],
        "tokyo": ["05-01T00:00Z"],
        "berlin": ["05-01T07:00Z"],
        "los_angeles": ["05-01T16:00Z"],
        "pago_pago": ["05-01T20:00Z"],
    }


def test_those_whose_moment_has_passed_enter_at_once_when_the_journey_is_published_late(make_town: MakeTown) -> None:
    """Scenario 10, launched at six."""
    town = make_town("2026-05-01T06:00")
    populate(town, ["Pacific/Kiritimati", "Asia/Tokyo", "Europe/Berlin"])
    town.journey(HEAD + LETTER)
    town.plan("2026-05-01T07:00", lambda: None)
    town.run_until("2026-05-02T00:00")
    assert entered(town, "kiritimati") == entered(town, "tokyo") == ["05-01T06:00Z"]
    assert entered(town, "berlin") == ["05-01T07:00Z"]


def test_nobody_whose_moment_has_passed_enters_when_misfires_are_skipped(make_town: MakeTown) -> None:
    town = make_town("2026-05-01T06:00")
    populate(town, ["Pacific/Kiritimati", "Europe/Berlin"])
    town.journey(HEAD.replace("local: true", "local: true, misfire: skip") + LETTER)
    town.plan("2026-05-01T07:00", lambda: None)
    town.run_until("2026-05-02T00:00")
    assert (entered(town, "kiritimati"), entered(town, "berlin")) == ([], ["05-01T07:00Z"])


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-03-27", ["03-28T01:30Z", "03-29T01:30Z", "03-30T00:30Z"]),
        ("2026-10-23", ["10-24T00:30Z", "10-25T00:30Z", "10-26T01:30Z"]),
    ],
)
def test_there_is_one_entry_a_day_when_the_clocks_change(make_town: MakeTown, start: str, expected: list[str]) -> None:
    """Scenario 11."""
    town = make_town(f"{start}T12:00")
    populate(town, ["Europe/Berlin"])
    town.journey(DAILY + LETTER)
    for day in range(1, 4):
        morning = at(f"{start}T00:00") + timedelta(days=day)
        wake(town, morning.isoformat(), (morning + timedelta(hours=3)).isoformat(), timedelta(minutes=30))
    town.run_until((at(f"{start}T12:00") + timedelta(days=3)).isoformat())
    assert entered(town, "berlin") == expected


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45"),
        ("Africa/Cairo", "2026-04-24T00:15", "2026-04-23T22:15"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T20:00"),
    ],
)
def test_a_clock_that_is_skipped_is_shifted_forward_when_somebody_enters_by_it(
    make_town: MakeTown, zone: str, moment: str, expected: str
) -> None:
    """Scenario 12."""
    town = make_town((at(expected) - timedelta(hours=30)).isoformat())
    populate(town, [zone])
    town.journey(HEAD.replace("2026-05-01T09:00", moment) + LETTER)
    wake(town, (at(expected) - timedelta(hours=1)).isoformat(), (at(expected) + timedelta(hours=1)).isoformat(),
         timedelta(minutes=15))  # fmt: skip
    town.run_until((at(expected) + timedelta(hours=2)).isoformat())
    assert [run.entered_at for run in town.enrolments()] == [at(expected)]


def test_the_latest_of_several_missed_moments_runs_when_the_engine_was_down(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    populate(town, ["Europe/Berlin"])
    rhythm = 'journey: club\nenter: {schedule: {every: day, at: "09:00"}, segment: everybody}\n'
    town.journey(rhythm + LETTER)
    town.work()
    town.clock.move_to(at("2026-06-05T20:00"))  # nothing ran meanwhile
    town.work()
    town.work()
    assert [(f"{run.entered_at:%d %H}") for run in town.enrolments()] == ["05 20"]
    town.clock.move_to(at("2026-06-06T09:00"))
    town.work()
    assert [(f"{run.entered_at:%d %H}") for run in town.enrolments()] == ["05 20", "06 09"]


def test_a_rhythm_begins_when_it_is_published_and_goes_by_the_journeys_zone(make_town: MakeTown) -> None:
    town = make_town("2026-06-03T08:00")  # a Wednesday
    populate(town, [None])
    trigger = '{schedule: {every: week, weekday: wed, at: "09:00"}, segment: everybody}'
    rhythm = f"journey: club\ntimezone: Europe/Berlin\nenter: {trigger}\n"
    town.journey(rhythm + LETTER)
    for instant in ("2026-06-03T09:00", "2026-06-10T06:59", "2026-06-10T07:00"):
        town.plan(instant, lambda: None)
    town.run_until("2026-06-11T00:00")
    assert entered(town, "nowhere") == ["06-10T07:00Z"]


@pytest.mark.parametrize(("said", "expected"), [("use_default", ["05-01T09:00Z"]), ("skip", [])])
def test_no_timezone_says_what_becomes_of_people_without_a_zone_when_a_moment_is_local(
    make_town: MakeTown, said: str, expected: list[str]
) -> None:
    town = make_town("2026-04-30T12:00")
    populate(town, [None])
    town.journey(HEAD.replace("local: true", f"local: true, no_timezone: {said}") + LETTER)
    town.plan("2026-05-01T09:00", lambda: None)
    town.run_until("2026-05-02T00:00")
    assert entered(town, "nowhere") == expected
    assert town.refusals() == ([] if expected else ["no_timezone"])


def test_nobody_is_lost_or_entered_twice_when_the_engine_stops_inside_a_slot(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = make_town("2026-04-30T12:00")
    populate(town, ["Europe/Berlin"])
    for number in range(8):
        town.person(f"person{number}", timezone="Europe/Berlin", visits=1)
    town.refresh_segments()
    town.journey(HEAD.replace("local: true", "local: true, misfire: skip") + "mode: parallel\n" + LETTER)
    monkeypatch.setattr("journeys.entries.rounds.BATCH", 3)
    commit = town.runtime.database.transaction
    kills = iter([3, 5])  # behind the first stretch, which makes the slot one that has begun
    count, deadly = 0, next(kills)

    def transaction(_database: Database) -> AbstractContextManager[Connection]:
        nonlocal count, deadly
        count += 1
        if count == deadly:
            deadly = next(kills, -1)
            raise KilledError
        return commit()

    town.clock.move_to(at("2026-05-01T07:00"))
    monkeypatch.setattr(Database, "transaction", transaction)
    for minute in range(0, 60, 20):  # longer between them than what counts as on time
        town.clock.move_to(at(f"2026-05-01T07:{minute:02}"))
        with suppress(KilledError):
            town.tick_alone()
    assert sorted(len(town.enrolments(name)) for name in town.people) == [1] * 9


def test_everybody_enters_once_when_two_engines_look_at_the_same_time(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = make_town("2026-04-30T12:00")
    populate(town, ["Europe/Berlin"])
    for number in range(8):
        town.person(f"person{number}", timezone="Europe/Berlin", visits=1)
    town.refresh_segments()
    town.journey(HEAD + "mode: parallel\n" + LETTER)
    monkeypatch.setattr("journeys.entries.rounds.BATCH", 2)
    town.clock.move_to(at("2026-05-01T07:00"))
    with ThreadPoolExecutor(2) as engines:
        done = [engines.submit(tick_until_idle, town.runtime, town.clock.now()) for _ in range(2)]
    assert sum(one.result().entered for one in done) == 9
    assert sorted(len(town.enrolments(name)) for name in town.people) == [1] * 9


def test_two_triggers_of_one_journey_have_days_of_their_own_when_both_are_local(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T00:00")
    populate(town, ["Europe/Berlin"])
    trigger = 'schedule: {{every: day, at: "{}"}}, segment: everybody, local: true'
    doors = ", ".join(f"{{{trigger.format(clock)}}}" for clock in ("09:00", "18:00"))
    town.journey(f"journey: club\nenter: [{doors}]\n" + LETTER)
    for instant in ("2026-06-01T07:00", "2026-06-01T16:00"):
        town.plan(instant, lambda: None)
    town.run_until("2026-06-01T20:00")
    assert entered(town, "berlin") == ["06-01T07:00Z", "06-01T16:00Z"]


def test_the_same_day_is_not_run_again_when_the_clock_of_the_trigger_was_moved(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T00:00")
    populate(town, ["UTC"])
    town.journey(DAILY + LETTER)
    town.plan("2026-06-01T02:30", lambda: None)
    town.run_until("2026-06-01T03:00")
    town.journey(DAILY.replace("02:30", "04:30") + LETTER)
    town.plan("2026-06-01T04:30", lambda: None)
    town.run_until("2026-06-01T05:00")
    assert entered(town, "utc") == ["06-01T02:30Z"]


def test_nothing_is_due_after_the_look_when_every_slot_was_gone_through(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T00:00")
    populate(town, ["UTC"])
    town.journey(DAILY + LETTER)
    town.run_until("2026-06-01T03:00")
    town.work()
    with town.runtime.database.read() as connection:
        scene = Scene(town.runtime.vault, get_catalogue(connection), town.clock.now())
        assert list(find_rounds(connection, scene)) == []
