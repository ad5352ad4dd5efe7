"""Pausing and going on: what is put off, what is not, and what happened meanwhile; stopping for good."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection

from core.definitions import withdraw
from core.errors import NotFoundError
from customers.consent import ConsentStatus
from journeys.advancing import Moved
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.due import fire_due
from journeys.lifecycle import has_to_sync, sync_pauses
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


# -- what acts in a pause all the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["", RUNS])
@pytest.mark.parametrize("condition", ["", "if: {attribute: tier, is: {exists: false}}, "])
def test_a_held_message_lapses_at_its_moment_in_a_pause_and_the_flow_goes_on_after_it(
    make_town: MakeTown, extra: str, condition: str
) -> None:
    town = make_town("2026-06-01T23:00")
    night = "quiet_hours: {from: '22:00', to: '08:00'}\n"
    mail = f"{{id: hello, {condition}email: hello, expires_after: 3h}}"
    text = f"{HEAD}{night}{extra}steps: [{mail}, {{id: rest, wait: 9d}}]\n"
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    pause_between(town, text, "2026-06-02T00:00", "2026-06-05T08:00")
    town.run_until("2026-06-02T02:00")
    (lapsed,) = town.messages("alice")
    assert (lapsed.status, lapsed.reason, f"{lapsed.ended_at:%d %H:%M}") == ("skipped", "expired", "02 02:00")
    assert town.enrolments()[0].step == "hello"  # nobody moves
    town.run_until("2026-06-06T08:00")
    assert (town.sent, town.due("alice")) == ([], "2026-06-14T08:00")


def test_a_message_that_has_not_lapsed_waits_for_the_end_of_the_pause(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    night = "quiet_hours: {from: '22:00', to: '08:00'}\n"
    text = f"{HEAD}{night}steps: [{{id: hello, email: hello, expires_after: 5d}}]\n"
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    pause_between(town, text, "2026-06-02T00:00", "2026-06-05T12:00")
    town.run_until("2026-06-06T08:00")
    assert sends(town) == ["alice 06-05T12:00"]


@pytest.mark.parametrize("first", ["wait: 3d", "email: hello"])
def test_exits_that_ask_for_a_state_act_in_a_pause_and_cancel_what_is_held(make_town: MakeTown, first: str) -> None:
    town = make_town("2026-06-01T23:00")
    night = "quiet_hours: {from: '22:00', to: '08:00'}\n"
    exits = "exit: [{attribute: tier, is: gone}, {consent: email.marketing, is: denied}]\n"
    text = steps(first) + night + exits
    names = ["alice", "bob"]
    town.journey(text)
    for name in names:
        town.person(name)
        town.log("signed_up", name)
    pause_between(town, text, "2026-06-02T00:00", "2026-06-05T12:00")
    town.plan("2026-06-03T08:00", lambda: town.set("alice", tier="gone"))
    town.plan("2026-06-03T09:00", lambda: withdraw_consent(town, "bob"))
    town.run_until("2026-06-03T09:00")
    ended = [(one.end_reason, f"{one.ended_at:%d %H:%M}") for name in names for one in town.enrolments(name)]
    assert ended == [("exit", "03 08:00"), ("exit", "03 09:00")]
    assert {row.status for name in names for row in town.messages(name)} <= {"cancelled"}


def withdraw_consent(town: Town, name: str) -> None:
    """As a preference page does it: the entry, and the event in the log."""
    town.consent(name, "email.marketing", ConsentStatus.WITHDRAWN)
    town.log("consent_changed", name)


# -- going on, batch by batch ------------------------------------------------------------------------------------------


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("kills", [1, 3])
def test_deadlines_are_put_off_once_when_the_engine_dies_between_two_batches(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    town = make_town()
    text = steps("wait: 3d") + "max_stay: 20d\n"
    names = [f"person{number}" for number in range(5)]
    town.journey(text)
    for name in names:
        town.person(name)
        town.log("signed_up", name)
    town.run_until("2026-06-02T08:00")
    town.journey(text + PAUSED)
    town.run_until("2026-06-07T08:00")
    town.journey(text)
    calls = iter(range(100))

    def some(connection: Connection, scene: Scene) -> tuple[Moved, bool]:
        if 0 < next(calls) <= kills:
            raise _KilledError
        return sync_pauses(connection, scene, 2)

    monkeypatch.setattr("journeys.tick.sync_pauses", some)
    for _ in range(kills):
        with pytest.raises(_KilledError):
            town.tick_alone()
        # Whatever else is due leaves those alone who have not been put off yet.
        with town.runtime.database.transaction() as connection:
            scene = Scene(town.runtime.vault, get_catalogue(connection), town.clock.now())
            assert fire_due(connection, scene) == (0, Moved())
    town.log("signed_up", town_person(town, "late"))
    town.run_until("2026-06-09T08:00")
    assert sorted(sends(town)) == [f"{name} 06-09T08:00" for name in names]
    assert [town.due(name, "max_stay") for name in names] == [None] * 5
    town.run_until("2026-06-12T08:00")
    assert sends(town)[-1] == "late 06-10T08:00"
    with town.runtime.database.read() as connection:
        assert not has_to_sync(connection, Scene(town.runtime.vault, get_catalogue(connection), town.clock.now()))


def town_person(town: Town, name: str) -> str:
    town.person(name)
    return name


def test_both_pauses_count_when_a_journey_was_paused_again_before_anybody_looked(make_town: MakeTown) -> None:
    town = make_town()
    text = steps("wait: 3d")
    town.person("alice")
    town.journey(text)
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    town.journey(text + PAUSED)
    town.run_until("2026-06-03T08:00")
    for day, again in ((4, text), (5, text + PAUSED)):  # the engine stands still meanwhile
        town.clock.move_to(town.clock.now().replace(day=day))
        town.journey(again)
    town.run_until("2026-06-06T08:00")
    town.journey(text)
    town.run_until("2026-06-20T08:00")
    assert sends(town) == ["alice 06-07T08:00"]


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
