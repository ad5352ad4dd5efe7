"""Scenarios 36 to 42 and 44: who is let in, and who is not."""

from __future__ import annotations

from sqlalchemy import select

from journeys.tables import assignment
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town

WELCOME = """
journey: welcome
enter: {event: signed_up}
steps:
  - {id: pause, wait: 1d}
"""
CART = """
journey: cart
enter: {event: cart_updated, key: cart_id}
mode: restart
reenter: {max: 1}
steps:
  - {id: hour, wait: 1h}
  - {id: reminder, email: cart_reminder, topic: marketing}
"""
SEGMENT = "segment: big\nwho: {attribute: visits, is: {gte: 10}}\n"
CLUB = """
journey: club
enter: {segment: big}
steps:
  - {id: pause, wait: 1h}
"""


def test_nobody_enters_twice_when_reenter_is_never_and_a_new_version_was_published(town: Town) -> None:
    """Scenario 36."""
    town.person("alice")
    town.journey(WELCOME + "reenter: never\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T08:00")
    town.journey(WELCOME.replace("1d", "2d") + "reenter: never\n")
    town.log("signed_up", "alice")
    town.work()
    assert [run.version for run in town.enrolments("alice")] == [1]
    assert town.refusals("alice") == ["reentry_never"]


def test_an_entry_is_ignored_when_a_run_is_active_and_allowed_when_it_has_ended(town: Town) -> None:
    """Scenario 37."""
    town.person("alice")
    town.journey(WELCOME)
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T12:00")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    assert town.runs() == [("ended", "completed")]
    assert town.refusals("alice") == ["active"]
    town.log("signed_up", "alice")
    town.work()
    assert town.runs() == [("ended", "completed"), ("active", None)]


def test_the_hour_begins_anew_when_the_same_cart_is_updated_and_the_mode_is_restart(town: Town) -> None:
    """Scenario 38; `max: 1` shows that a restart is no re-entry. Another cart has a run of its own."""
    town.person("alice")
    town.journey(CART)
    for instant, cart in (("10:00", "a"), ("10:20", "b"), ("10:40", "a")):
        town.plan(f"2026-06-01T{instant}", lambda cart=cart: town.log("cart_updated", "alice", cart_id=cart))  # type: ignore[misc]  # bound now
    town.run_until("2026-06-02T00:00")
    assert town.sends() == [("2026-06-01T11:20", "reminder"), ("2026-06-01T11:40", "reminder")]
    assert sorted(town.runs()) == [("ended", "completed"), ("ended", "completed"), ("ended", "restarted")]


def test_somebody_enters_again_when_exactly_the_days_of_every_have_passed(make_town: MakeTown) -> None:
    """Scenario 39."""
    town = make_town("2026-01-01T00:00")
    town.person("alice")
    town.journey(WELCOME + "reenter: {every: 90d}\n")
    town.log("signed_up", "alice")
    town.run_until("2026-03-31T23:59:59")
    town.log("signed_up", "alice")
    town.work()
    assert town.refusals("alice") == ["too_soon"]
    town.run_until("2026-04-01T00:00:00")
    town.log("signed_up", "alice")
    town.work()
    assert len(town.runs()) == 2


def test_one_more_entry_follows_when_somebody_leaves_a_segment_and_comes_back_across_three_refreshes(
    town: Town,
) -> None:
    """Scenario 40."""
    town.publish("segment", SEGMENT)
    town.person("alice", visits=1)
    town.journey(CLUB)
    town.refresh_segments()
    for number, visits in enumerate((10, 1, 11, 1, 12)):
        if number != 2:  # out and in again between two refreshes is not seen
            town.run_until(f"2026-06-01T{10 + number}:00")
        town.set("alice", visits=visits)
        if number != 1:
            town.refresh_segments()
        town.work()
    town.run_until("2026-06-02T00:00")
    assert town.runs() == [("ended", "completed")] * 2


def test_members_of_a_segment_enter_only_by_backfill_when_they_were_there_before_the_journey(town: Town) -> None:
    """Scenario 41, with ten people; the same file again changes nothing."""
    town.publish("segment", SEGMENT)
    for number in range(10):
        town.person(f"person{number}", consents=(), visits=20)
    town.refresh_segments()
    town.journey(CLUB)
    town.journey(
        CLUB.replace("journey: club", "journey: party").replace("{segment: big}", "{segment: big, backfill: true}")
    )
    town.run_until("2026-06-01T09:30")
    assert {run.journey for run in town.enrolments()} == {"party"}
    assert len(town.enrolments()) == 10
    again = town.journey(
        CLUB.replace("journey: club", "journey: party").replace("{segment: big}", "{segment: big, backfill: true}")
    )
    town.run_until("2026-06-02T09:30")
    assert not again.is_new
    assert len(town.enrolments()) == 10


def test_the_first_members_enter_once_by_backfill_when_segment_and_journey_are_published_together(town: Town) -> None:
    town.publish("segment", SEGMENT)
    town.journey(CLUB)
    town.journey(
        CLUB.replace("journey: club", "journey: party").replace("{segment: big}", "{segment: big, backfill: true}")
    )
    town.person("alice", visits=20)
    town.work()
    town.refresh_segments()
    town.run_until("2026-06-02T09:30")
    assert [(run.journey, run.end_reason) for run in town.enrolments()] == [("party", "completed")]


def test_historical_and_late_events_let_nobody_in_when_they_arrive(town: Town) -> None:
    """Scenario 42."""
    people = ["alice", "bob", "carol", "dave"]
    for name in people:
        town.person(name)
    town.run_until("2026-06-01T09:00")
    town.journey(WELCOME)
    town.run_until("2026-06-03T09:00")
    town.log("signed_up", "alice", historical=True)
    town.log("signed_up", "bob", occurred="2026-06-02T08:00")
    town.log("signed_up", "carol", occurred="2026-06-02T09:01")
    town.log("signed_up", "dave", occurred="2026-06-01T08:59")  # before the journey was published
    town.work()
    assert {name: len(town.runs(name)) for name in people} == {"alice": 0, "bob": 0, "carol": 1, "dave": 0}
    assert town.refusals() == ["late_entry_ignored"]
    assert f"{town.enrolments('carol')[0].entered_at:%d %H:%M}" == "02 09:01"


def test_a_sender_whose_clock_is_ahead_is_let_in_when_it_is_no_more_than_five_minutes(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(WELCOME)
    town.log("signed_up", "alice", occurred="2026-06-01T08:05")
    town.log("signed_up", "bob", occurred="2026-06-01T08:06")
    town.work()
    assert town.enrolments("alice")[0].entered_at == town.clock.now()
    assert town.refusals("bob") == ["late_entry_ignored"]


def test_somebody_whose_addresses_are_all_suppressed_is_in_neither_arm_when_there_is_a_holdout(town: Town) -> None:
    """Scenario 44."""
    town.person("carol")
    town.suppress("carol")
    town.person("alice")
    town.journey(WELCOME + "holdout: 50%\n")
    town.log("signed_up", "carol")
    town.log("signed_up", "alice")
    town.work()
    assert town.refusals("carol") == ["suppressed"]
    with town.runtime.database.read() as connection:
        assert list(connection.scalars(select(assignment.c.profile_id))) == [town.people["alice"]]


def test_the_condition_of_a_trigger_is_asked_when_the_event_is_processed(town: Town) -> None:
    town.person("alice", tier="gold")
    town.person("bob", tier="tin")
    town.journey(
        WELCOME.replace(
            "{event: signed_up}",
            "{event: signed_up, where: {source: web}, if: [{attribute: tier, is: gold}, {entry: {source: web}}]}",
        )
    )
    for name in ("alice", "bob"):
        town.log("signed_up", name, source="web")
        town.log("signed_up", name, source="shop")
    town.work()
    assert (len(town.runs("alice")), town.refusals("alice")) == (1, [])
    assert (len(town.runs("bob")), town.refusals("bob")) == (0, ["condition"])


def test_people_keep_their_arm_of_the_holdout_when_its_share_changes(town: Town) -> None:
    names = [f"person{number}" for number in range(30)]
    for name in names:
        town.person(name, consents=())
    text = WELCOME + "holdout: {percent: 50%, seed: s}\ngoal: {event: visited, within: 2d}\n"
    town.journey(text)
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    first = {run.profile_id: run.status for run in town.enrolments()}
    held_out = [number for number, status in first.items() if status == "holdout"]
    assert 5 < len(held_out) < 25
    town.run_until("2026-06-03T08:00")
    assert {run.end_reason for run in town.enrolments()} == {"holdout", "completed"}
    town.journey(text.replace("50%", "0%"))
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    again = {run.profile_id: run.status for run in town.enrolments() if run.version == 2}
    assert {number for number, status in again.items() if status == "holdout"} == set(held_out)
