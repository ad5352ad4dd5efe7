"""`add_to`, `remove_from` and `start_journey`: what they change, and that they do it once."""

from __future__ import annotations

from sqlalchemy import select

from customers.tables import static_list_member
from journeys.steps.start_journey import LONGEST_CHAIN
from tests.journeys.test_check import faults_of
from tests.journeys.test_flow import emitted
from tests.journeys.town import Town

ENTER = "enter: {event: signed_up}\n"


def on_list(town: Town, name: str) -> set[str]:
    names = {number: person for person, number in town.people.items()}
    query = select(static_list_member.c.profile_id).where(static_list_member.c.list == name)
    with town.runtime.database.read() as connection:
        return {names[number] for number in connection.scalars(query)}


def test_a_list_has_whom_steps_put_on_it_and_the_next_condition_sees_it_when_both_run_at_once(town: Town) -> None:
    for name in ("alice", "bob"):
        town.person(name)
    town.publish("list", "list: vips\n")
    town.journey(
        "journey: marks\n"
        + ENTER
        + """
steps:
  - {add_to: vips}
  - {add_to: vips}
  - {if: {list: vips}, emit: is_vip}
  - {if: {entry: {source: web}}, remove_from: vips}
  - {if: {not: {list: vips}}, emit: is_none}
"""
    )
    town.log("signed_up", "alice", source="web")
    town.log("signed_up", "bob", source="app")
    town.work()
    assert on_list(town, "vips") == {"bob"}
    assert emitted(town, "alice") == ["is_vip", "is_none"]
    assert emitted(town, "bob") == ["is_vip"]


def test_another_journey_is_entered_by_its_own_rules_when_a_step_starts_it(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(
        "journey: second\nenter: {event: never_sent, key: cart_id, if: {attribute: tier, is: gold}}\nreenter: never\n"
        'steps:\n  - {id: took, set: {tier: "{{ entry.cart_id }}"}}\n  - {id: rest, wait: 9d}\n'
    )
    start = 'start_journey: second, with: {cart_id: "{{ entry.cart }}", secret: [1, 2]}'
    town.journey("journey: first\n" + ENTER + f"mode: parallel\nsteps:\n  - {{id: go, {start}}}\n  - {{emit: after}}\n")
    town.log("signed_up", "alice", cart="c-7")
    town.log("signed_up", "bob")
    town.work()
    runs = {run.journey: run for run in town.enrolments("alice")}
    assert (runs["second"].key, runs["second"].step, runs["first"].end_reason) == ("c-7", "rest", "completed")
    assert emitted(town, "alice") == ["journey_started", "after"]
    assert town.refusals("bob") == ["no_key"]
    town.log("signed_up", "alice", cart="c-7")
    town.work()
    assert town.refusals("alice") == ["active"]


def test_it_is_recorded_why_nobody_entered_when_the_journey_to_start_is_not_live(town: Town) -> None:
    town.person("alice")
    town.journey("journey: second\nstatus: draft\n" + ENTER + "steps: []\n")
    town.journey("journey: first\n" + ENTER + "steps: [{start_journey: second}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert (town.refusals("alice"), town.runs("alice")) == (["not_live"], [("ended", "completed")])


def test_journeys_that_start_each_other_stop_when_none_of_them_waits(town: Town) -> None:
    """Scenario 73 at run time: publishing refuses such a circle (E122), and one that got in all the same ends."""
    town.person("alice")
    town.journey("journey: a\n" + ENTER + "on_error: exit\nsteps: [{start_journey: b}]\n")
    town.journey("journey: b\nenter: {event: never_sent}\non_error: exit\nsteps: [{start_journey: a}]\n")
    town.log("signed_up", "alice")
    town.work()
    reasons = [reason for _, reason in town.runs("alice")]
    assert len(reasons) == LONGEST_CHAIN + 1
    assert reasons.count("error") == 1


def test_the_chain_begins_anew_when_a_journey_starts_itself_after_a_wait(town: Town) -> None:
    town.person("alice")
    town.journey("journey: a\n" + ENTER + "steps:\n  - {id: rest, wait: 1h}\n  - {start_journey: a}\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T12:30")
    assert len(town.runs("alice")) == 29
    assert town.runs("alice")[-1] == ("active", None)


def test_a_name_is_refused_when_there_is_no_such_list_or_journey() -> None:
    text = "journey: x\nenter: {event: signed_up}\nsteps:\n  - {add_to: nwes}\n  - {remove_from: news}\n"
    assert faults_of(text) == ["E120 nwes 'news'?"]
