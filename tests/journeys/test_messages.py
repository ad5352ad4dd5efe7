"""Message steps beside the real send ledger: what a message carries, and what happens around it."""

from __future__ import annotations

from recommender.publish import refresh_rules
from tests.journeys.conftest import MakeTown
from tests.journeys.town import WORKSPACE, Town
from tests.recommender.shop import add_orders, add_products, planted_orders

HEAD = "enter: {event: signed_up}\ndefaults: {topic: marketing}\n"
NIGHT = "quiet_hours: {from: 22:00, to: 08:00}\n"


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
    assert row.policy == {"workspace": True, "timezone": "Europe/Berlin"}  # whose rules are read when it may go
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
