"""Pausing and going on: what is put off, what is not, and what happened meanwhile; stopping for good."""

from __future__ import annotations

from functools import partial

import pytest

from core.definitions import withdraw
from core.errors import NotFoundError
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.lifecycle import has_to_sync
from journeys.migration import migrate
from journeys.stopping import stop_journey
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town

HEAD = "journey: welcome\nenter: {event: signed_up}\ndefaults: {topic: marketing}\n"
PAUSED = "status: paused\n"
RUNS = "pause: {timers: run}\n"


def steps(first: str) -> str:
    return HEAD + f"steps:\n  - {{id: first, {first}}}\n  - {{id: hello, email: hello}}\n"


def sends(town: Town) -> list[str]:
    return [f"{one.person} {one.at:%m-%dT%H:%M}" for one in town.sent]


def pause_between(town: Town, text: str, start: str, end: str) -> None:
    def publish(written: str) -> None:
        town.journey(written)

    town.plan(start, partial(publish, text + PAUSED))
    town.plan(end, partial(publish, text))


@pytest.mark.parametrize(
    ("first", "extra", "sent"),
    [
        ("wait: 3d", "", "06-09T08:00"),
        ("wait: 3d", RUNS, "06-07T08:00"),
        ("wait: 30h", RUNS, "06-07T08:00"),
        ("wait: 9d", RUNS, "06-10T08:00"),
        ("wait_for: {event: visited}, timeout: 3d", "", "06-09T08:00"),
        ("wait_until: '10:00', if: {attribute: tier, is: {exists: false}}", "", "06-01T10:00"),
        ("wait_until: {weekday: wed}", "", "06-07T08:00"),
        ("wait_until: {weekday: wed}", RUNS, "06-07T08:00"),
    ],
)
def test_lengths_are_kept_and_instants_are_not_put_off_when_a_journey_goes_on(
    make_town: MakeTown, first: str, extra: str, sent: str
) -> None:
    town = make_town()
    text = steps(first) + extra
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    pause_between(town, text, "2026-06-02T08:00", "2026-06-07T08:00")
    town.run_until("2026-06-20T08:00")
    assert sends(town) == [f"alice {sent}"]


def test_an_event_in_the_pause_ends_a_wait_when_it_came_before_the_deadline_that_was_moved(
    make_town: MakeTown,
) -> None:
    town = make_town()
    text = steps("wait_for: {event: visited}, timeout: 3d")
    town.journey(text)
    for name in ("alice", "bob"):
        town.person(name)
        town.log("signed_up", name)
    pause_between(town, text, "2026-06-02T08:00", "2026-06-07T08:00")
    town.plan("2026-06-06T08:00", lambda: town.log("visited", "alice"))
    town.plan("2026-06-09T08:00", lambda: town.log("visited", "bob"))
    town.run_until("2026-06-20T08:00")
    assert [town.enrolments(name)[0].state["answers"]["first"] for name in ("alice", "bob")] == [[1], ["timeout"]]
    assert sends(town) == ["alice 06-07T08:00", "bob 06-09T08:00"]


def test_the_pause_lasts_from_publication_to_publication_when_the_engine_was_down_meanwhile(
    make_town: MakeTown,
) -> None:
    town = make_town()
    text = steps("wait: 3d")
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    town.journey(text + PAUSED)
    town.clock.move_to(town.clock.now().replace(day=3))
    town.work()
    town.run_until("2026-06-04T08:00")
    town.journey(text)
    town.clock.move_to(town.clock.now().replace(day=5))
    town.run_until("2026-06-20T08:00")
    assert sends(town) == ["alice 06-06T08:00"]


def test_exits_act_and_nobody_is_queued_at_the_door_while_a_journey_is_paused(make_town: MakeTown) -> None:
    town = make_town()
    text = steps("wait: 3d") + "exit: [{event: visited}]\n"
    town.journey(text)
    for name in ("alice", "bob"):
        town.person(name)
    town.log("signed_up", "alice")
    pause_between(town, text, "2026-06-02T08:00", "2026-06-07T08:00")
    town.plan("2026-06-03T08:00", lambda: town.log("visited", "alice"))
    town.plan("2026-06-06T08:00", lambda: town.log("signed_up", "bob"))
    town.run_until("2026-06-05T08:00")
    assert town.runs("alice") == [("ended", "exit")]
    town.run_until("2026-06-20T08:00")
    assert (town.enrolments("bob"), town.sent) == ([], [])


def test_the_longest_stay_is_put_off_as_well(make_town: MakeTown) -> None:
    town = make_town()
    text = steps("wait: 9d") + "max_stay: 4d\n"
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    pause_between(town, text, "2026-06-02T08:00", "2026-06-07T08:00")
    town.run_until("2026-06-20T08:00")
    (run,) = town.enrolments("alice")
    assert (run.end_reason, f"{run.ended_at:%m-%dT%H:%M}") == ("expired", "06-10T08:00")


def test_what_a_pause_has_added_is_kept_when_people_are_moved_afterwards(make_town: MakeTown) -> None:
    town = make_town()
    text = steps("wait: 3d")
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    pause_between(town, text, "2026-06-02T08:00", "2026-06-07T08:00")
    town.run_until("2026-06-08T08:00")
    assert town.due("alice") == "2026-06-09T08:00"
    town.journey(steps("wait: 5d"))
    migrate(town.runtime, "welcome", town.clock.now())
    assert town.due("alice") == "2026-06-11T08:00"


def test_nobody_goes_on_when_people_are_moved_in_a_pause(make_town: MakeTown) -> None:
    town = make_town()
    town.person("alice")
    town.journey(steps("wait: 3d"))
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    town.journey(steps("wait: 1d") + PAUSED)
    town.work()
    migrate(town.runtime, "welcome", town.clock.now())
    town.run_until("2026-06-05T08:00")
    assert not town.sent
    town.journey(steps("wait: 1d"))
    town.work()
    assert sends(town) == ["alice 06-05T08:00"]


def test_a_paused_journey_drains_when_its_file_is_taken_away(make_town: MakeTown) -> None:
    town = make_town()
    text = steps("wait: 3d")
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    town.journey(text + PAUSED)
    town.run_until("2026-06-04T08:00")
    with town.runtime.database.transaction() as connection:
        withdraw(connection, "journey", "welcome", town.clock.now())
    town.run_until("2026-06-20T08:00")
    assert sends(town) == ["alice 06-06T08:00"]
    with town.runtime.database.read() as connection:
        assert not has_to_sync(connection, Scene(town.runtime.vault, get_catalogue(connection), town.clock.now()))


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_everybody_leaves_and_nothing_more_is_sent_when_a_journey_is_stopped(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    text = HEAD + "quiet_hours: {from: '22:00', to: '08:00', then: wait}\nsteps: [{id: hello, email: hello}]\n"
    names = [f"person{number}" for number in range(5)]
    town.journey(text)
    for name in names:
        town.person(name)
        town.log("signed_up", name)
    town.work()
    told: list[int] = []
    assert stop_journey(town.runtime, "welcome", town.clock.now(), batch=2, report=told.append) == 5
    assert told == [2, 4, 5, 5]
    town.person("late")
    town.log("signed_up", "late")
    town.run_until("2026-06-03T08:00")
    assert (town.sent, town.enrolments("late")) == ([], [])
    assert {one.end_reason for one in town.enrolments()} == {"stopped"}
    assert stop_journey(town.runtime, "welcome", town.clock.now()) == 0


def test_a_stopped_journey_lets_people_in_again_only_as_a_new_version(make_town: MakeTown) -> None:
    town = make_town()
    town.journey(steps("wait: 1d"))
    stop_journey(town.runtime, "welcome", town.clock.now())
    published = town.journey(steps("wait: 1d"))
    assert (published.is_new, published.published.version) == (True, 2)


def test_stopping_what_there_is_not_says_so(make_town: MakeTown) -> None:
    with pytest.raises(NotFoundError, match="journeys list"):
        stop_journey(make_town().runtime, "nothing", make_town().clock.now())
