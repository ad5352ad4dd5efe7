"""Who enters by schedules, dates and segments in a simulation: at each occurrence the same people as in the town."""

from __future__ import annotations

from datetime import timedelta

import pytest

from journeys.simulation.feed import Everybody, Stated
from journeys.simulation.simulate import simulate
from tests.journeys.conftest import MakeTown
from tests.journeys.entries.test_dates import WITH_DATES
from tests.journeys.simulation.same import bare, fed_to, plan_of, produced, replayed, simulated
from tests.journeys.town import Town, at

EVERYBODY = "segment: everybody\nwho: {attribute: visits, is: {gte: 1}}\n"
STEPS = "steps:\n  - {id: letter, email: letter, topic: marketing}\n  - {id: rest, wait: 3d}\n"


def look(town: Town, *instants: str) -> None:
    for instant in instants:
        town.plan(instant, lambda: None)


def compare(town: Town, slug: str, start: str, end: str) -> list[str]:
    """Journals and refusals must be equal; answers when people entered."""
    town.run_until(end)
    _tally, timelines = replayed(town, slug, start, end)
    assert bare(simulated(timelines)) == bare(produced(town, slug))
    refused = {name: [reason for _, reason in timelines[number].refusals] for name, number in town.people.items()}
    assert refused == {name: town.refusals(name) for name in town.people}
    return [f"{run.entered_at:%m-%dT%H:%M}" for run in town.enrolments()]


def test_members_enter_at_every_occurrence_when_a_journey_has_a_schedule(make_town: MakeTown) -> None:
    start = "2026-06-01T10:00"
    town = make_town(start)
    town.publish("segment", EVERYBODY)
    for name, visits in (("alice", 1), ("bob", 0), ("carol", 2)):
        town.person(name, visits=visits)
    town.refresh_segments()
    town.journey(f'journey: club\nenter: {{schedule: {{every: day, at: "09:00"}}, segment: everybody}}\n{STEPS}')
    look(town, *(f"2026-06-0{day}T09:00" for day in range(2, 9)))
    entered = compare(town, "club", start, "2026-06-09T00:00")
    assert entered == ["06-02T09:00", "06-02T09:00", "06-06T09:00", "06-06T09:00"]  # entries are asked before timers


@pytest.mark.parametrize("misfire", ["latest", "skip"])
def test_everybody_enters_by_their_own_clock_when_a_schedule_is_local(make_town: MakeTown, misfire: str) -> None:
    start = "2026-06-01T10:00"
    town = make_town(start)
    town.publish("segment", EVERYBODY)
    zones = {"alice": "Asia/Tokyo", "bob": "America/Los_Angeles", "carol": None, "dave": "Nowhere/Else"}
    for name, zone in zones.items():
        town.person(name, visits=1, timezone=zone)
    town.refresh_segments()
    town.journey(
        f"journey: club\nenter: {{schedule: {{every: week, weekday: thu, at: '09:00'}}, segment: everybody, "
        f"local: true, misfire: {misfire}}}\n{STEPS}"
    )
    look(town, *(f"2026-06-{day:02}T{hour:02}:00" for day in range(1, 10) for hour in (0, 9, 16)))
    assert len(compare(town, "club", start, "2026-06-10T00:00")) == 4


def test_a_moment_brings_each_in_once_when_it_lies_inside_or_has_just_passed(make_town: MakeTown) -> None:
    start = "2026-05-01T06:00"
    town = make_town(start)
    town.publish("segment", EVERYBODY)
    for name, zone in (("alice", "Asia/Tokyo"), ("bob", "Europe/Berlin")):
        town.person(name, visits=1, timezone=zone)
    town.refresh_segments()
    town.journey(f"journey: club\nenter: {{at: 2026-05-01T09:00, segment: everybody, local: true}}\n{STEPS}")
    look(town, "2026-05-01T07:00", "2026-05-02T09:00")
    assert compare(town, "club", start, "2026-05-03T00:00") == ["05-01T06:00", "05-01T07:00"]


@pytest.mark.parametrize("attribute", ["birthday", "renewal", "wedding"])
def test_dates_let_in_on_their_day_by_each_persons_clock(
    make_town: MakeTown, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.journeys.town.WORKSPACE", WITH_DATES)
    start = "2026-02-20T12:00"
    town = make_town(start, WITH_DATES)
    people = {
        "alice": ("Asia/Tokyo", "2000-02-29"),
        "bob": (None, "1990-03-02"),
        "carol": ("America/New_York", "1990-02-20"),
        "dave": ("UTC", "1990-07-01"),
    }
    for name, (zone, day) in people.items():
        town.person(name, timezone=zone)
        town.set(name, **{attribute: day})
    town.journey(f"journey: dates\nenter: {{date: {attribute}, repeat: yearly}}\nreenter: never\n{STEPS}")
    look(town, *(f"2026-{day}T{hour:02}:00" for day in ("02-20", "02-28", "03-01", "03-02") for hour in (0, 9, 14)))
    assert compare(town, "dates", start, "2026-03-10T00:00") == ["02-20T14:00", "02-28T00:00", "03-02T09:00"]


@pytest.mark.parametrize("enter", ["{segment: everybody, when: once}", "{segment: everybody, backfill: true}"])
def test_members_enter_as_the_journey_begins_when_it_asks_for_them(make_town: MakeTown, enter: str) -> None:
    town = make_town("2026-06-01T10:00")
    town.publish("segment", EVERYBODY)
    for name, visits in (("alice", 1), ("bob", 0)):
        town.person(name, visits=visits)
    town.refresh_segments()
    town.clock.advance(timedelta(hours=1))
    town.journey(f"journey: club\nenter: {enter}\n{STEPS}")
    assert compare(town, "club", "2026-06-01T11:00", "2026-06-03T00:00") == ["06-01T11:00"]


def test_edges_of_a_segment_let_in_when_events_and_days_turn_it(make_town: MakeTown) -> None:
    start = "2026-06-01T10:00"
    town = make_town(start)
    town.publish("segment", "segment: quiet\nwho: {not: {event: visited, within: 3d}}\n")
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(f"journey: back\nenter: {{segment: quiet}}\n{STEPS}")
    town.plan("2026-06-02T12:00", lambda: town.log("visited", "alice", page="cart"))
    town.run_until("2026-06-10T00:00")
    plan = plan_of(town, "back", start, "2026-06-10T00:00")
    tally, timelines = simulate(town.runtime, plan, Stated(fed_to(town)), followed=list(town.people.values()))
    entered = [at for timeline in timelines.values() for at, _, entry in timeline.journal if entry.kind == "entered"]
    assert entered == [at("2026-06-06T10:00")]  # three days after the visit, at the next look
    assert tally.entered == 1


def test_everybody_is_called_in_once_when_a_journey_waits_for_calls(make_town: MakeTown) -> None:
    start = "2026-06-01T10:00"
    town = make_town(start)
    alice = town.person("alice")
    town.journey("journey: called\nenter: {api: true}\n" + STEPS)
    plan = plan_of(town, "called", start, "2026-06-10T00:00")
    feed = Everybody([alice], properties={"total": 9}, in_time=True)
    tally, timelines = simulate(town.runtime, plan, feed, followed=[alice])
    assert tally.entered == 1
    assert {(at, one.entry["total"]) for at, one, entry in timelines[alice].journal if entry.kind == "entered"} == {
        (plan.start, 9)
    }
