"""`apply --migrate`: people who are inside go on in the newest version, each once, and nobody is stranded."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

import journeys.migration
from core.located import load_yaml
from journeys.check import check_journey
from journeys.definition import parse_journey
from journeys.migration import Migration, migrate
from journeys.tables import event_wait, timer
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town

HEAD = "journey: welcome\nenter: {event: signed_up}\ndefaults: {topic: marketing}\nsteps:\n"
THREE_DAYS = HEAD + "  - {id: nap, wait: 3d}\n  - {id: hello, email: hello}\n"


def enter(town: Town, text: str, *names: str) -> None:
    town.journey(text)
    for name in names:
        town.person(name)
        town.log("signed_up", name)
    town.work()


def change(town: Town, text: str, batch: int = 500) -> Migration:
    town.journey(text)
    moved = migrate(town.runtime, "welcome", town.clock.now(), batch=batch)
    town.work()
    return moved


def test_a_wait_is_reckoned_anew_from_when_its_step_was_entered(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    town.run_until("2026-06-02T08:00")
    assert change(town, THREE_DAYS.replace("3d", "5d")) == Migration("welcome", moved=1)
    assert town.due("alice") == "2026-06-06T08:00"
    town.run_until("2026-06-10T08:00")
    assert [(f"{one.at:%m-%dT%H:%M}", one.step) for one in town.sent] == [("06-06T08:00", "hello")]


def test_people_go_on_at_once_when_the_new_wait_is_over_already(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    town.run_until("2026-06-02T09:00")
    change(town, THREE_DAYS.replace("3d", "1d"))
    assert [f"{one.at:%m-%dT%H:%M}" for one in town.sent] == ["06-02T09:00"]


def test_people_stay_on_their_version_when_nobody_moves_them(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    enter(town, THREE_DAYS.replace("3d", "5d"), "bob")
    assert (town.due("alice"), town.due("bob")) == ("2026-06-04T08:00", "2026-06-06T08:00")


def test_steps_that_were_put_before_the_place_are_never_run(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    change(town, THREE_DAYS.replace("steps:\n", "steps:\n  - {id: first, email: first}\n"))
    town.run_until("2026-06-10T08:00")
    assert [one.step for one in town.sent] == ["hello"]


def test_people_of_a_removed_step_go_on_where_the_file_says_with_their_time_kept(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    town.run_until("2026-06-02T08:00")
    moved = change(
        town,
        HEAD.replace("steps:\n", "migrate: {removed: {nap: rest}}\nsteps:\n")
        + "  - {id: rest, wait: 2d}\n  - {id: hello, email: hello}\n",
    )
    assert moved.moved == 1
    assert town.due("alice") == "2026-06-03T08:00"


def test_people_of_a_removed_step_finish_their_version_when_nothing_is_said(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    assert change(town, HEAD + "  - {id: hello, email: hello}\n") == Migration("welcome", staying=1)
    town.run_until("2026-06-10T08:00")
    assert [(one.version, one.end_reason) for one in town.enrolments()] == [(1, "completed")]


def test_an_event_that_is_waited_for_now_ends_the_wait_when_it_happened_before_the_move(make_town: MakeTown) -> None:
    town = make_town()
    waiting = HEAD + "  - {id: look, wait_for: {event: visited}, timeout: 9d}\n  - {id: hello, email: hello}\n"
    enter(town, waiting, "alice", "bob")
    town.run_until("2026-06-02T08:00")
    town.log("profile_completed", "alice")
    town.work()
    assert not town.sent
    change(town, waiting.replace("event: visited", "event: profile_completed"))
    assert [one.person for one in town.sent] == ["alice"]
    town.log("visited", "bob")
    town.work()
    assert len(town.sent) == 1
    town.log("profile_completed", "bob")
    town.work()
    assert [one.person for one in town.sent] == ["alice", "bob"]


def test_a_held_message_leaves_once_when_its_people_are_moved_meanwhile(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    text = HEAD.replace("steps", "quiet_hours: {from: '22:00', to: '08:00', then: wait}\nsteps")
    enter(town, text + "  - {id: hello, email: hello}\n  - {id: nap, wait: 1h}\n", "alice")
    change(town, text + "  - {id: hello, email: hello}\n  - {id: nap, wait: 2h}\n")
    town.run_until("2026-06-02T09:00")
    assert [f"{one.at:%dT%H:%M}" for one in town.sent] == ["02T08:00"]
    assert town.due("alice") == "2026-06-02T10:00"


def test_a_held_message_is_cancelled_when_its_step_is_gone(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    text = HEAD.replace("steps", "quiet_hours: {from: '22:00', to: '08:00', then: wait}\nsteps")
    enter(town, text + "  - {id: hello, email: hello}\n", "alice")
    change(town, text.replace("steps", "migrate: {removed: {hello: nap}}\nsteps") + "  - {id: nap, wait: 1h}\n")
    town.run_until("2026-06-02T09:00")
    assert not town.sent
    assert [one.status for one in town.messages("alice")] == ["cancelled"]
    assert [one.end_reason for one in town.enrolments()] == ["completed"]


def test_steps_without_an_id_are_found_by_what_they_do_when_something_was_written_above(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    text = HEAD.replace("steps", "quiet_hours: {from: '22:00', to: '08:00', then: wait}\nsteps")
    enter(town, text + "  - {email: hello}\n", "alice")
    assert change(town, text + "  - {email: first}\n  - {email: hello}\n").moved == 1
    town.run_until("2026-06-02T09:00")
    assert [one.template for one in town.messages("alice")] == ["hello"]
    assert len(town.sent) == 1


def test_the_held_out_stay_held_out_and_arms_are_kept_when_everybody_is_moved(make_town: MakeTown) -> None:
    town = make_town()
    text = HEAD.replace("steps", "holdout: {percent: 50}\ngoal: {event: visited, within: 30d}\nsteps")
    body = "  - {id: ab, split: {a: {then: [{id: n1, wait: 2d}]}, b: {then: [{id: n2, wait: 2d}]}}}\n"
    names = [f"person{number}" for number in range(12)]
    enter(town, text + body, *names)
    before = {one.id: (one.status, one.step, one.state.get("answers")) for one in town.enrolments()}
    change(town, text + body.replace("2d", "4d"))
    after = {one.id: (one.status, one.step, one.state.get("answers")) for one in town.enrolments()}
    assert after == before
    assert {one.version for one in town.enrolments()} == {2}
    assert {status for status, *_ in after.values()} == {"active", "holdout"}


@pytest.mark.parametrize(
    ("removed", "codes"), [("{old: hello}", []), ("{old: helo}", ["E111"]), ("{nap: hello}", ["E103"])]
)
def test_a_move_that_leads_nowhere_is_a_fault(removed: str, codes: list[str]) -> None:
    text = THREE_DAYS.replace("steps:", f"migrate: {{removed: {removed}}}\nsteps:")
    located, _ = load_yaml(text.encode(), "journeys/welcome.yaml")
    assert located is not None
    journey, faults = parse_journey(located, located.file)
    assert journey is not None
    found = [*faults, *check_journey(journey, located)]
    assert [fault.code for fault in found if fault.code in ("E111", "E103", "E160")] == codes


def test_the_longest_stay_counts_from_the_entry_when_the_new_version_has_another(make_town: MakeTown) -> None:
    town = make_town()
    enter(town, THREE_DAYS, "alice")
    change(town, THREE_DAYS + "max_stay: 2d\n")
    town.run_until("2026-06-10T08:00")
    assert [(one.end_reason, f"{one.ended_at:%m-%dT%H:%M}") for one in town.enrolments()] == [
        ("expired", "06-03T08:00")
    ]


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


def test_everybody_is_moved_once_when_the_run_is_killed_between_two_batches(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = make_town()
    names = [f"person{number}" for number in range(7)]
    enter(town, THREE_DAYS, *names)
    town.journey(THREE_DAYS.replace("3d", "5d"))
    turn, turns = journeys.migration.take_turn, 0

    def dying(connection: Any) -> None:
        nonlocal turns
        turns += 1
        if turns % 2 == 0:
            raise KilledError
        turn(connection)

    monkeypatch.setattr(journeys.migration, "take_turn", dying)
    moved = 0

    def tally(_so_far: int) -> None:
        nonlocal moved
        moved += 1

    for _ in range(20):
        try:
            migrate(town.runtime, "welcome", town.clock.now(), batch=2, report=tally)
        except KilledError:
            continue
        break
    assert {one.version for one in town.enrolments()} == {2}
    assert [town.kinds(name).count("migrated") for name in names] == [1] * 7
    assert {town.due(name) for name in names} == {"2026-06-06T08:00"}
    assert moved == 4


def waits_for_something(town: Town) -> set[str]:
    """The enrolments that a timer, an event or the end of a message will wake."""
    with town.runtime.database.read() as connection:
        woken = set(connection.scalars(select(timer.c.enrolment_id).where(timer.c.kind == "step")))
        woken |= set(connection.scalars(select(event_wait.c.enrolment_id)))
    return woken | {one.origin_id for name in town.people for one in town.messages(name) if one.status == "due"}


_VERBS = (
    "wait: {n}h",
    "wait: {n}d",
    "wait_until: '1{n}:00'",
    "wait_for: {{event: visited}}, timeout: {n}d",
    "wait_for: {{attribute: tier, is: gold}}, timeout: {n}d",
    "email: hello",
    "choose: [{{if: {{attribute: tier, is: gold}}, then: [{{id: in{n}, wait: 1d}}]}}]",
)
_STEPS = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.sampled_from(_VERBS), st.integers(1, 9)), min_size=1, max_size=5
)


def _written(slug: str, steps: dict[str, tuple[str, int]], removed: dict[str, str]) -> str:
    lines = [f"  - {{id: {name}, {verb.format(n=n)}}}" for name, (verb, n) in steps.items()]
    moves = ", ".join(f"{old}: {new}" for old, new in removed.items())
    head = HEAD.replace("welcome", slug).replace("steps:", f"migrate: {{removed: {{{moves}}}}}\nsteps:")
    return head + "\n".join(lines) + "\n"


def test_nobody_is_stranded_whatever_the_new_version_is(make_town: MakeTown) -> None:
    town = make_town()
    numbers = count(1)

    @settings(max_examples=12, deadline=None)
    @given(_STEPS, _STEPS, st.integers(0, 80))
    def check(old: dict[str, tuple[str, int]], new: dict[str, tuple[str, int]], hours: int) -> None:
        number = next(numbers)
        slug, name = f"welcome{number}", f"person{number}"
        town.person(name)
        town.journey(_written(slug, old, {}))
        town.log("signed_up", name)
        town.run_until((town.clock.now() + timedelta(hours=hours)).isoformat())
        inner = {f"in{n}" for n in range(1, 10)}
        gone = {step: next(iter(new)) for step in [*old, *inner] if step not in new}
        town.journey(_written(slug, new, gone))
        before = {one.id for one in town.enrolments(name) if one.journey == slug and one.status == "active"}
        assert migrate(town.runtime, slug, town.clock.now()).staying == 0
        town.work()
        inside = {one.id for one in town.enrolments(name) if one.id in before and one.status == "active"}
        assert inside <= waits_for_something(town)
        town.run_until((town.clock.now() + timedelta(days=60)).isoformat())
        assert {one.end_reason for one in town.enrolments(name) if one.id in before} <= {"completed"}

    check()
