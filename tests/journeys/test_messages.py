"""Message steps beside the real send ledger: scenarios 22 to 25, 27, 50, 52, 57 and 58, seen from the journey."""

from __future__ import annotations

import pytest

from customers.consent import ConsentStatus
from recommender.publish import refresh_rules
from tests.journeys.conftest import MakeTown
from tests.journeys.town import WORKSPACE, Town
from tests.recommender.shop import add_orders, add_products, planted_orders

HEAD = "enter: {event: signed_up}\ndefaults: {topic: marketing}\n"
NIGHT = "quiet_hours: {from: 22:00, to: 08:00}\n"


def test_the_next_wait_counts_from_the_real_send_when_quiet_hours_held_the_message(make_town: MakeTown) -> None:
    """Scenario 22."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    town.journey(
        "journey: night\n"
        + HEAD
        + NIGHT
        + """
steps:
  - {id: first, email: one}
  - {id: hour, wait: 1h}
  - {id: second, email: two}
"""
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T12:00")
    assert town.sends() == [("2026-06-02T08:00", "first"), ("2026-06-02T09:00", "second")]


def test_a_held_message_is_cancelled_when_the_goal_ends_the_run(make_town: MakeTown) -> None:
    """Scenario 23."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    town.journey(
        "journey: night\n"
        + HEAD
        + NIGHT
        + "goal: {event: order_placed, exit: true}\nsteps: [{id: first, email: one}]\n"
    )
    town.log("signed_up", "alice")
    town.plan("2026-06-02T03:00", lambda: town.log("order_placed", "alice", total=1))
    town.run_until("2026-06-02T12:00")
    assert town.sends() == []
    assert town.runs() == [("ended", "goal")]
    assert [(one.status, one.reason) for one in town.messages("alice")] == [("cancelled", "goal")]


def test_the_flow_goes_on_at_the_moment_of_expiry_when_a_held_message_lapses(make_town: MakeTown) -> None:
    """Scenario 24."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    town.journey(
        "journey: night\n"
        + HEAD
        + NIGHT
        + "steps: [{id: first, email: one, expires_after: 3h}, {id: rest, wait: 9d}]\n"
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T12:00")
    assert [(one.status, one.reason) for one in town.messages("alice")] == [("skipped", "expired")]
    assert town.due("alice") == "2026-06-11T02:00"


def test_the_condition_of_a_message_is_asked_again_when_its_hold_ends(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    for name in ("alice", "bob"):
        town.person(name, tier="gold")
    town.journey(
        "journey: night\n"
        + HEAD
        + NIGHT
        + """
steps: [{id: first, if: {attribute: tier, is: gold}, email: one}, {id: rest, wait: 9d}]
"""
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.run_until("2026-06-02T03:00")
    town.set("bob", tier="tin")
    town.run_until("2026-06-02T12:00")
    assert town.sends() == [("2026-06-02T08:00", "first")]
    assert [(one.status, one.reason) for one in town.messages("bob")] == [("cancelled", "if")]
    assert town.due("bob") == "2026-06-11T08:00"


@pytest.mark.parametrize(
    ("on_skip", "ending"), [("continue", "completed"), ("exit", "skipped"), ("[{exit: missed}]", "missed")]
)
def test_the_flow_follows_on_skip_when_a_message_is_dropped(make_town: MakeTown, on_skip: str, ending: str) -> None:
    """Scenario 25, and the other ways to go on."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    night = NIGHT.replace("}", ", then: drop}")
    town.journey("journey: night\n" + HEAD + night + f"steps: [{{id: first, email: one, on_skip: {on_skip}}}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert [(one.status, one.reason) for one in town.messages("alice")] == [("skipped", "quiet_hours")]
    assert town.runs() == [("ended", ending)]


def test_an_overnight_window_lets_the_day_pass_when_it_is_given_as_from_22_to_6(make_town: MakeTown) -> None:
    """Scenario 27."""
    town = make_town("2026-06-01T12:00")
    town.person("alice")
    town.journey("journey: day\n" + HEAD + NIGHT.replace("08:00", "06:00") + "steps: [{id: first, email: one}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert town.sends() == [("2026-06-01T12:00", "first")]


@pytest.mark.parametrize(
    ("then", "third", "ending"),
    [("skip", [], "completed"), ("wait", [("2026-06-02T10:00", "three")], "completed"), ("exit", [], "cap")],
)
def test_the_limit_of_a_journey_holds_for_its_messages_when_a_third_one_is_due(
    make_town: MakeTown, then: str, third: list[tuple[str, str]], ending: str
) -> None:
    """Scenarios 50 and 52, by a journey's own limit."""
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    town.journey(
        "journey: often\n"
        + HEAD
        + f"limits: [{{messages: 2, per: 24h, then: {then}}}]\n"
        + """
steps:
  - {id: one, email: a}
  - {id: w1, wait: 5h}
  - {id: two, email: b}
  - {id: w2, wait: 5h}
  - {id: three, email: c}
"""
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T10:00")
    assert town.sends() == [("2026-06-01T10:00", "one"), ("2026-06-01T15:00", "two"), *third]
    assert town.runs() == [("ended", ending)]


def test_the_steps_after_a_mail_still_run_when_its_topic_was_unsubscribed_meanwhile(town: Town) -> None:
    """Scenario 57."""
    town.person("bob")
    town.journey(
        "journey: mail\n" + HEAD + "steps: [{id: w, wait: 1d}, {id: hello, email: hello}, {id: rest, wait: 9d}]\n"
    )
    town.log("signed_up", "bob")
    town.run_until("2026-06-01T10:00")
    town.consent("bob", "email.marketing", ConsentStatus.WITHDRAWN)
    town.run_until("2026-06-03T10:00")
    assert [(one.status, one.reason) for one in town.messages("bob")] == [("skipped", "consent")]
    assert town.enrolments()[0].step == "rest"


def test_text_messages_go_on_when_the_mail_address_bounced_for_good(town: Town) -> None:
    """Scenario 58."""
    town.person("carol", phone="+4915112345678")
    town.journey(
        "journey: mail\n" + HEAD + "steps: [{id: a, email: a}, {id: w, wait: 1h}, {id: b, email: b}, {id: c, sms: c}]\n"
    )
    town.log("signed_up", "carol")
    town.run_until("2026-06-01T08:30")
    town.suppress("carol")
    town.run_until("2026-06-01T12:00")
    assert [one.step for one in town.sent] == ["a", "c"]
    assert [one.channel for one in town.sent] == ["email", "sms"]


def test_a_message_carries_what_composing_needs_when_it_is_queued(make_town: MakeTown) -> None:
    quiet = "quiet_hours: {from: 01:00, to: 02:00}\nlimits: [{messages: 9, per: 7d}]\n"
    town = make_town("2026-06-01T08:00", WORKSPACE + quiet)
    town.person("alice", timezone="Europe/Berlin")
    town.journey(
        "journey: full\n"
        + HEAD
        + """
priority: 80
timezone: Europe/Berlin
steps:
  - id: hello
    email: hello
    topic: orders
    kind: transactional
    sender: letters
    expires_after: 1d
    send_at: "17:30"
    with: {code: "{{ entry.code }}", text: "for {{ entry.code }}", n: 3}
"""
    )
    town.log("signed_up", "alice", code="X1")
    town.work()
    (row,) = town.messages("alice")
    assert (row.topic, row.kind, row.sender, row.priority) == ("orders", "transactional", "letters", 80)
    assert f"{row.due_at:%d %H:%M} {row.expires_at:%d %H:%M}" == "01 15:30 02 15:30"
    assert row.policy["timezone"] == "Europe/Berlin"
    assert row.policy["quiet_hours"]["from"] == "01:00"
    assert row.policy["limits"] == [{"messages": 9, "per_s": 604_800, "scope": "workspace", "then": "skip"}]
    context = town.runtime.vault.open_document(row.profile_id, "message.context", row.context)
    assert context == {"entry": {"code": "X1"}, "steps": {}, "vars": {"code": "X1", "text": "for X1", "n": 3}}


def test_nothing_moves_and_nothing_is_sent_while_a_journey_is_paused_and_its_hours_are_kept(town: Town) -> None:
    text = "journey: mail\n" + HEAD + "steps: [{id: w, wait: 4h}, {id: hello, email: hello}]\n"
    town.person("alice")
    town.person("bob")
    town.journey(text)
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T09:00")
    town.journey(text + "status: paused\n")
    town.log("signed_up", "bob")
    town.run_until("2026-06-02T09:00")
    assert (town.runs("alice"), town.runs("bob")) == ([("active", None)], [])
    town.journey(text)
    town.run_until("2026-06-03T00:00")
    assert town.sends() == [("2026-06-02T12:00", "hello")]


def test_products_are_chosen_and_frozen_when_a_step_asks_for_an_offer(town: Town) -> None:
    for name in ("alice", "bob"):
        town.person(name)
    town.publish("offer", "offer: cross_sell\nname: Goes well\nrecommend: {model: item_item, count: 3, holdout: 0%}\n")
    with town.runtime.database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        refresh_rules(connection, town.clock.now())
    town.journey(
        "journey: cart\n"
        + HEAD
        + """
steps:
  - {id: reco, offer: {from: [cross_sell], count: 2}}
  - {id: hello, email: hello, with: {items: "{{ steps.reco.items }}"}}
"""
    )
    town.log("signed_up", "alice", items=["tea"])
    town.log("signed_up", "bob")
    town.work()
    for name in ("alice", "bob"):
        (row,) = town.messages(name)
        context = town.runtime.vault.open_document(row.profile_id, "message.context", row.context)
        chosen = context["steps"]["reco"]
        assert (chosen["offer"], len(chosen["items"])) == ("cross_sell", 2)
        assert chosen["decision_id"]
        assert context["vars"]["items"] == chosen["items"]


def test_nothing_is_published_when_only_the_comments_of_a_file_changed(town: Town) -> None:
    """Scenario 80."""
    text = "journey: mail\n" + HEAD + "status: live\nsteps: [{id: w, wait: 1d}]\n"
    first = town.journey(text)
    second = town.journey(
        "# a remark\n" + text.replace("steps: [{id: w, wait: 1d}]", "steps:\n  - id: w\n    wait: 1d")
    )
    assert (first.published.version, first.is_new) == (1, True)
    assert (second.published.version, second.is_new) == (1, False)
