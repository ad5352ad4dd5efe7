"""Who may come in again, and what an entry does while a run is active: `reenter` and `mode`, per journey and key."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town, at

HEAD = "journey: again\nenter: {event: cart_updated, key: cart_id}\n"
REST = "steps: [{id: rest, wait: 1h}]\n"
MAIL = "defaults: {topic: marketing}\nsteps: [{id: mail, email: one}, {id: rest, wait: 1h}]\n"


def update(town: Town, instant: str, cart: str = "a", occurred: str | None = None) -> None:
    """Alice's cart changes at an instant of June 2026."""
    town.run_until(f"2026-06-{instant}")
    town.log("cart_updated", "alice", cart_id=cart, occurred=f"2026-06-{occurred}" if occurred else None)
    town.work()


def test_max_counts_the_first_entry_too(town: Town) -> None:
    town.person("alice")
    town.journey(HEAD + "reenter: {max: 2}\n" + REST)
    for day in ("01T08", "02T08", "03T08"):
        update(town, f"{day}:00")
    assert (len(town.runs()), town.refusals()) == (2, ["reentry_max"])


def test_every_key_is_counted_by_itself(town: Town) -> None:
    town.person("alice")
    town.journey(HEAD + "reenter: never\n" + REST)
    for day, cart in (("01T08", "a"), ("01T09", "b"), ("02T08", "a"), ("02T09", "c")):
        update(town, f"{day}:00", cart)
    assert sorted(str(run.key) for run in town.enrolments()) == ["a", "b", "c"]
    assert town.refusals() == ["reentry_never"]


@pytest.mark.parametrize(
    ("reenter", "refused"),
    [
        ("{max: 2}", ["reentry_max"]),
        ("{every: 20m}", ["too_soon", "too_soon"]),
        ("after_exit", []),
    ],
)
def test_runs_beside_each_other_still_count_for_every_and_max(town: Town, reenter: str, refused: list[str]) -> None:
    town.person("alice")
    town.journey(HEAD + f"mode: parallel\nreenter: {reenter}\n" + REST)
    for minute in ("00", "10", "20") if reenter != "{every: 20m}" else ("00", "10", "20", "30"):
        update(town, f"01T09:{minute}")
    assert town.refusals() == refused
    assert all(run.status == "active" for run in town.enrolments())


@pytest.mark.parametrize(("instant", "runs"), [("04T07:59", 2), ("04T08:00", 3)])
def test_every_counts_from_the_entry_and_not_from_the_restart_that_took_its_place(
    town: Town, instant: str, runs: int
) -> None:
    town.person("alice")
    town.journey(HEAD + "mode: restart\nreenter: {every: 3d}\n" + REST.replace("1h", "25h"))
    update(town, "01T08:00")
    update(town, "02T08:00")
    update(town, instant)
    assert len(town.runs()) == runs
    assert [run.end_reason for run in town.enrolments()][:2] == ["restarted", "completed"]


def test_a_restart_by_an_event_that_happened_earlier_is_no_entry_either(town: Town) -> None:
    town.person("alice")
    town.journey(HEAD + "mode: restart\nreenter: {max: 2}\n" + REST)
    update(town, "01T12:00")
    update(town, "01T12:30", occurred="01T11:00")
    update(town, "01T18:00")
    assert (len(town.runs()), town.refusals()) == (3, [])


def test_a_restart_cancels_what_was_not_sent_and_leaves_what_was(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    town.person("alice")
    town.journey(HEAD + "mode: restart\nquiet_hours: {from: '09:00', to: '12:00'}\n" + MAIL)
    for minute in ("08:30", "09:10", "09:20"):
        update(town, f"01T{minute}")
    town.run_until("2026-06-01T18:00")
    assert sorted((row.status, f"{row.due_at:%H:%M}") for row in town.messages("alice")) == [
        ("cancelled", "12:00"),
        ("sent", "08:30"),
        ("sent", "12:00"),
    ]
    assert [run.end_reason for run in town.enrolments()] == ["restarted", "restarted", "completed"]
    assert f"{town.enrolments()[-1].ended_at:%H:%M}" == "13:00"


def test_somebody_without_any_address_enters_and_is_only_not_written_to(town: Town) -> None:
    town.person("dave", email=False, consents=())
    town.journey(HEAD.replace(", key: cart_id", "") + MAIL)
    town.log("cart_updated", "dave")
    town.work()
    assert [(row.status, row.reason) for row in town.messages("dave")] == [("skipped", "no_address")]
    assert town.enrolments("dave")[0].step == "rest"


@pytest.mark.parametrize(("occurred", "enters"), [("01T12:00:00", False), ("01T12:00:01", True)])
def test_an_event_of_exactly_the_longest_age_is_too_old(town: Town, occurred: str, enters: bool) -> None:
    town.person("alice")
    town.journey(HEAD + REST)
    update(town, "02T12:00", occurred=occurred)
    assert (len(town.runs()), town.refusals()) == ((1, []) if enters else (0, ["late_entry_ignored"]))


def test_a_run_begins_with_its_event_and_its_waits_when_they_are_reached(town: Town) -> None:
    town.person("alice")
    town.journey(HEAD + REST)
    update(town, "01T18:00", occurred="01T15:00")
    assert f"{town.enrolments()[0].entered_at:%H:%M}" == "15:00"
    assert town.due("alice") == "2026-06-01T19:00"


def test_a_run_by_a_segment_begins_with_the_tick(make_town: MakeTown) -> None:
    town = make_town()
    town.person("alice")
    town.publish("segment", "segment: big\nwho: {attribute: visits, is: {gte: 10}}\n")
    town.journey("journey: club\nenter: {segment: big}\n" + REST)
    town.refresh_segments()
    town.set("alice", visits=11)
    town.run_until("2026-06-01T10:00")
    town.refresh_segments()
    town.clock.move_to(at("2026-06-01T10:00:30"))
    town.work()
    assert f"{town.enrolments()[0].entered_at:%H:%M:%S}" == "10:00:30"


def test_somebody_enters_who_leaves_the_segment(make_town: MakeTown) -> None:
    town = make_town()
    town.person("alice", visits=11)
    town.publish("segment", "segment: big\nwho: {attribute: visits, is: {gte: 10}}\n")
    town.refresh_segments()
    town.journey("journey: bye\nenter: {segment: big, when: exit}\n" + REST)
    town.work()
    assert town.runs() == []
    town.run_until("2026-06-01T09:00")
    town.set("alice", visits=1)
    town.refresh_segments()
    town.work()
    assert town.runs() == [("active", None)]


def test_an_occurrence_that_fell_into_a_pause_lets_nobody_in_afterwards(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    town.person("alice", visits=11)
    town.publish("segment", "segment: big\nwho: {attribute: visits, is: {gte: 10}}\n")
    town.refresh_segments()
    text = "journey: daily\nenter: {schedule: {every: day, at: '10:00'}, segment: big}\n" + REST
    town.journey(text)
    town.run_until("2026-06-01T09:00")
    town.journey(text + "status: paused\n")
    town.run_until("2026-06-01T11:00")
    town.journey(text)
    town.run_until("2026-06-01T20:00")
    assert town.runs() == []
