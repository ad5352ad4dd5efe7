"""Branches, waits for something, goals, exits and errors: scenarios 49, 69 to 71, 77, and the rules around them."""

from __future__ import annotations

from sqlalchemy import select

from customers.consent import ConsentStatus
from customers.tables import customer_event
from journeys.transition import JournalKind
from tests.journeys.town import Town

ENTER = "enter: {event: signed_up}\n"


def test_the_first_true_branch_is_taken_when_two_hold_and_nothing_when_none_does(town: Town) -> None:
    """Scenario 49."""
    town.person("alice", tier="gold", visits=5)
    town.person("bob")
    town.journey(
        "journey: choice\n"
        + ENTER
        + """
steps:
  - id: way
    choose:
      - {name: gold, if: {attribute: tier, is: gold}, then: [{emit: took_gold}]}
      - {if: {attribute: visits, is: {gte: 1}}, then: [{emit: took_visits}]}
  - {if: {branch: way, is: gold}, emit: by_name}
  - {if: {branch: way, is: 1}, emit: by_position}
  - {if: {branch: way, is: else}, emit: by_else}
  - {id: last, wait: 1h}
"""
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.work()
    assert emitted(town, "alice") == ["took_gold", "by_name", "by_position"]
    assert emitted(town, "bob") == ["by_else"]


def test_an_attribute_that_a_step_sets_is_seen_by_the_next_condition_when_both_run_in_one_tick(town: Town) -> None:
    town.person("alice")
    town.journey(
        "journey: marks\n"
        + ENTER
        + """
steps:
  - {set: {tier: gold, visits: "{{ entry.count }}"}}
  - {if: [{attribute: tier, is: gold}, {attribute: visits, is: 7}], emit: shines}
"""
    )
    town.log("signed_up", "alice", count=7)
    town.work()
    assert emitted(town, "alice") == ["shines"]
    assert town.runs() == [("ended", "completed")]


def test_the_goal_is_the_reason_when_the_same_event_is_goal_and_exit(town: Town) -> None:
    """Scenario 70, first half."""
    town.person("alice")
    town.journey(
        "journey: buy\n" + ENTER + "goal: {event: order_placed, value: total, exit: true}\n"
        "exit: [{event: order_placed}]\nsteps: [{id: rest, wait: 9d}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    town.run_until("2026-06-02T08:00")
    town.log("order_placed", "alice", total=4200)
    town.work()
    assert town.runs() == [("ended", "goal")]
    goal = next(entry for entry in town.entries("alice") if entry.kind == JournalKind.GOAL)
    assert goal.data["value"] == 4200


def test_a_goal_is_not_counted_when_it_happened_before_entering(town: Town) -> None:
    """Scenario 70, second half; and what happened in time counts, whatever arrived first."""
    town.person("alice")
    town.person("bob")
    town.journey("journey: buy\n" + ENTER + "goal: {event: order_placed, exit: true}\nsteps: [{id: rest, wait: 9d}]\n")
    town.run_until("2026-06-01T12:00")
    town.log("order_placed", "bob", occurred="2026-06-01T11:30")
    town.work()
    town.log("signed_up", "alice", occurred="2026-06-01T11:00")
    town.log("signed_up", "bob", occurred="2026-06-01T11:00")
    town.work()
    town.log("order_placed", "alice", occurred="2026-06-01T10:59")
    town.work()
    assert town.runs("alice") == [("active", None)]
    assert town.runs("bob") == [("ended", "goal")]


def test_the_goal_counts_after_the_end_when_its_window_is_open(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey("journey: buy\n" + ENTER + "goal: {event: order_placed, within: 2d}\nsteps: [{emit: hello}]\n")
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.run_until("2026-06-03T07:59")
    town.log("order_placed", "alice")
    town.run_until("2026-06-03T08:00")
    town.log("order_placed", "bob")
    town.work()
    assert town.enrolments("alice")[0].goal_at is not None
    assert town.enrolments("bob")[0].goal_at is None


def test_somebody_enters_and_leaves_at_once_when_an_exit_holds_already(town: Town) -> None:
    """Scenario 71."""
    town.person("alice", deleted=True)
    town.journey(
        "journey: mail\n" + ENTER + "exit: [{attribute: deleted, is: true}]\n"
        "steps: [{email: hello, topic: marketing}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    assert town.runs() == [("ended", "exit")]
    assert town.sends() == []


def test_an_exit_acts_during_a_wait_when_the_attribute_changes(town: Town) -> None:
    town.person("alice")
    town.journey("journey: mail\n" + ENTER + "exit: [{attribute: deleted, is: true}]\nsteps: [{id: rest, wait: 9d}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    town.set("alice", deleted=True)
    town.work()
    assert town.runs() == [("ended", "exit")]


def test_an_event_lets_out_only_the_run_whose_cart_it_is_about(town: Town) -> None:
    town.person("alice")
    town.journey(
        """
journey: cart
enter: {event: cart_updated, key: cart_id}
exit: [{event: cart_emptied, where: {cart_id: {from_event: cart_id}}}]
steps: [{id: hour, wait: 1h}]
"""
    )
    town.log("cart_updated", "alice", cart_id="a")
    town.log("cart_updated", "alice", cart_id="b")
    town.work()
    town.log("cart_emptied", "alice", cart_id="b")
    town.work()
    assert [(run.key, run.end_reason) for run in sorted(town.enrolments(), key=lambda run: str(run.key))] == [
        ("a", None),
        ("b", "exit"),
    ]


def test_nothing_personal_is_left_when_a_profile_is_erased_during_a_wait(town: Town) -> None:
    """Scenario 69."""
    town.person("alice")
    town.journey("journey: rest\n" + ENTER + "steps: [{id: rest, wait: 9d}]\n")
    town.log("signed_up", "alice", nickname="Al of Bath")
    town.run_until("2026-06-02T08:00")
    town.erase("alice")
    town.work()
    (run,) = town.enrolments()
    assert (run.status, run.end_reason, run.sealed_state) == ("ended", "erased", None)
    assert "Al of Bath" not in str([*town.entries("alice"), run])
    town.run_until("2026-06-20T08:00")
    assert town.runs() == [("ended", "erased")]


def test_a_jump_goes_on_after_its_target_through_the_blocks_around_it_when_it_leads_into_a_later_branch(
    town: Town,
) -> None:
    """Scenario 77."""
    town.person("alice")
    town.journey(
        "journey: jump\n"
        + ENTER
        + """
steps:
  - choose:
      - {if: {not: {attribute: tier, is: x}}, then: [{emit: first}, {goto: inner}]}
    else: [{emit: never}]
  - {emit: passed_over}
  - choose:
      - {if: {attribute: tier, is: x}, then: [{emit: other}]}
      - if: {attribute: tier, is: y}
        then: [{emit: above}, {id: inner, emit: target}, {emit: below}]
  - {emit: after}
"""
    )
    town.log("signed_up", "alice")
    town.work()
    assert emitted(town, "alice") == ["first", "target", "below", "after"]


def test_a_loop_ends_when_until_holds_before_a_round_or_all_rounds_are_done(town: Town) -> None:
    town.person("alice")
    town.person("bob", tier="x")
    town.journey(
        "journey: loop\n"
        + ENTER
        + """
steps:
  - repeat:
      max: 2
      until: {attribute: tier, is: x}
      do:
        - {emit: outer}
        - repeat: {max: 2, do: [{emit: inner}]}
  - {emit: after}
"""
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.work()
    assert emitted(town, "alice") == ["outer", "inner", "inner"] * 2 + ["after"]
    assert emitted(town, "bob") == ["after"]


def test_a_run_fails_when_it_never_stops_running(town: Town) -> None:
    town.person("alice")
    inner = "{id: a, repeat: {max: 100, do: [{id: b, repeat: {max: 100, do: [{id: c, set: {visits: 1}}]}}]}}"
    town.journey("journey: loop\n" + ENTER + f"steps: [{inner}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert town.runs() == [("ended", "failed: loop")]
    assert len(town.entries("alice")) == 1_002


def test_the_first_to_happen_wins_when_it_became_known_last(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(
        "journey: race\n"
        + ENTER
        + """
steps:
  - id: race
    wait_for: [{event: visited, where: {page: one}}, {event: visited, where: {page: two}}]
    timeout: 1h
    then: [{if: {branch: race, is: 1}, emit: one}, {if: {branch: race, is: 2}, emit: two}]
    on_timeout: [{if: {branch: race, is: timeout}, emit: nobody}]
"""
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.run_until("2026-06-01T08:30")
    town.log("visited", "alice", page="one", occurred="2026-06-01T08:20")
    town.log("visited", "alice", page="two", occurred="2026-06-01T08:10")
    town.log("visited", "bob", page="two", occurred="2026-06-01T07:59")  # before the step
    town.run_until("2026-06-01T09:00")
    town.log("visited", "bob", page="one")  # at the deadline is outside
    town.work()
    assert emitted(town, "alice") == ["two"]
    assert emitted(town, "bob") == ["nobody"]


def test_an_event_that_becomes_known_after_the_timeout_is_noted_and_changes_nothing(town: Town) -> None:
    town.person("alice")
    town.journey(
        "journey: late\n"
        + ENTER
        + """
steps:
  - {id: wanted, wait_for: {event: visited}, timeout: 1h}
  - {id: rest, wait: 9d}
"""
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T10:00")
    town.log("visited", "alice", occurred="2026-06-01T08:59")
    town.work()
    assert town.kinds("alice").count("late_for_wait") == 1
    assert town.enrolments("alice")[0].step == "rest"


def test_a_wait_for_a_state_passes_when_it_is_true_already_or_becomes_so(town: Town) -> None:
    town.person("alice", tier="gold")
    town.person("bob")
    town.journey(
        "journey: state\n"
        + ENTER
        + """
steps:
  - {id: gold, wait_for: {attribute: tier, is: gold}, timeout: 1d, on_timeout: exit}
  - {emit: golden}
"""
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.work()
    assert emitted(town, "alice") == ["golden"]
    town.run_until("2026-06-01T10:00")
    town.set("bob", tier="gold")
    town.work()
    assert emitted(town, "bob") == ["golden"]


def test_only_a_person_ends_the_wait_for_a_click_when_machines_click_first(town: Town) -> None:
    town.person("alice")
    town.journey(
        "journey: click\n"
        + ENTER
        + """
defaults: {topic: marketing}
steps:
  - {id: hello, email: hello}
  - id: answer
    wait_for: {message: hello, was: clicked}
    timeout: 1d
    then: [{set: {tier: "{{ steps.answer.event.link_tag }}"}}, {exit: clicked}]
  - {id: rest, wait: 9d}
"""
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T09:00")
    town.click("alice", "hello", is_human=False)
    town.work()
    assert town.runs() == [("active", None)]
    town.click("alice", "hello")
    town.work()
    assert town.runs() == [("ended", "clicked")]


def test_a_step_that_fails_is_tried_again_and_then_left_when_it_goes_on_failing(town: Town) -> None:
    """Scenario 59: no blank mail, the branch for errors, others unaffected."""
    town.person("alice")
    town.person("bob")
    town.broken = lambda row: "render_error" if row.profile_id == town.people["alice"] else None
    town.journey(
        "journey: mail\n"
        + ENTER
        + """
defaults: {topic: marketing}
steps:
  - {id: hello, email: hello, on_error: [{emit: gave_up}]}
  - {id: rest, wait: 9d}
"""
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.run_until("2026-06-02T08:00")
    assert town.sends() == [("2026-06-01T08:00", "hello")]
    errors = [f"{entry.at:%H:%M}" for entry in town.entries("alice") if entry.kind == JournalKind.ERROR]
    assert errors == ["08:00", "08:01", "08:06", "08:36"]
    assert emitted(town, "alice") == ["gave_up"]
    assert town.enrolments("alice")[0].step == "rest"


def test_the_run_ends_when_a_value_cannot_be_stored_and_the_journey_exits_on_error(town: Town) -> None:
    town.person("alice")
    town.journey("journey: bad\n" + ENTER + 'on_error: exit\nsteps: [{id: s, set: {visits: "{{ entry.x }}"}}]\n')
    town.log("signed_up", "alice", x="many")
    town.work()
    assert town.runs() == [("ended", "error")]
    assert "s failed: visits: this is not a number" in "\n".join(town.story("alice", "bad"))


def test_everybody_keeps_the_arm_of_a_split_when_its_weights_change(town: Town) -> None:
    names = [f"person{number}" for number in range(24)]
    for name in names:
        town.person(name, consents=())
    text = "journey: test\n" + ENTER + "steps: [{id: ab, split: {a: {weight: 1}, b: {weight: 1}}}]\n"
    town.journey(text)
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    first = {run.profile_id: run.state["answers"]["ab"] for run in town.enrolments()}
    town.run_until("2026-06-02T08:00")
    town.journey(text.replace("b: {weight: 1}", "b: {weight: 0}"))
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    second = {run.profile_id: run.state["answers"]["ab"] for run in town.enrolments() if run.version == 2}
    assert first == second
    assert {"a", "b"} == {arm for (arm,) in first.values()}


def test_a_run_expires_when_it_has_stayed_as_long_as_anybody_may(town: Town) -> None:
    town.person("alice")
    town.journey("journey: long\n" + ENTER + "max_stay: 2d\nsteps: [{id: rest, wait: 9d}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-09T08:00")
    (run,) = town.enrolments()
    assert (run.end_reason, f"{run.ended_at:%d %H:%M}") == ("expired", "03 08:00")


def test_the_exit_acts_at_once_and_cancels_the_message_when_consent_is_withdrawn(town: Town) -> None:
    """Scenario 57, the exit."""
    town.person("alice", timezone="UTC")
    town.journey(
        "journey: mail\n"
        + ENTER
        + """
exit: [{consent: email.marketing, is: denied}]
quiet_hours: {from: 07:00, to: 12:00}
steps: [{id: hello, email: hello, topic: marketing}]
"""
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T10:00")
    town.consent("alice", "email.marketing", ConsentStatus.WITHDRAWN)
    town.log("unsubscribed", "alice", channel="email", topic="marketing")
    town.run_until("2026-06-01T13:00")
    (run,) = town.enrolments()
    assert (run.end_reason, f"{run.ended_at:%H:%M}") == ("exit", "10:00")
    assert [(one.status, one.reason) for one in town.messages("alice")] == [("cancelled", "exit")]
    assert town.sends() == []


def emitted(town: Town, person: str) -> list[str]:
    """The names of the events that the journey wrote, its own reports aside."""
    query = select(customer_event.c.name).where(
        customer_event.c.profile_id == town.people[person], customer_event.c.source == "journeys"
    )
    with town.runtime.database.read() as connection:
        names = connection.scalars(query.order_by(customer_event.c.id)).all()
    return [name for name in names if name not in ("journey_entered", "journey_exited", "goal_reached")]
