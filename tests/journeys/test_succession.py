"""What becomes of runs, messages and offers when their people turn out to be one, or two after all."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from customers.merge_rows import MergeCause
from customers.merges import merge, split
from delivery.tables import message
from journeys.succession import follow_merges
from journeys.tables import enrolment, event_wait
from recommender.tables import offer_decision
from tests.journeys.town import Town, at

WAITING = """
journey: cart
enter: {event: cart_updated, key: cart_id}
goal: {event: profile_completed, within: 30d}
steps:
  - {id: emptied, wait_for: {event: cart_emptied}, timeout: 2d}
  - {id: letter, email: letter, topic: marketing, sender: letters}
"""
PAUSING = """
journey: nap
enter: {event: signed_up}
steps:
  - {id: nap, wait: 1d}
  - {id: letter, email: letter, topic: marketing, sender: letters}
"""


def join(town: Town, survivor: str, merged: str) -> int:
    runtime = town.runtime
    with runtime.database.transaction() as connection:
        return merge(
            connection, runtime.vault, town.workspace, town.people[survivor], town.people[merged],
            cause=MergeCause.MANUAL, source="test", now=town.clock.now(),
        )  # fmt: skip


def part(town: Town, merge_id: int) -> None:
    runtime = town.runtime
    with runtime.database.transaction() as connection:
        split(connection, runtime.vault, town.workspace, merge_id, source="test", now=town.clock.now())


def test_a_run_goes_on_with_the_survivor_when_its_person_is_merged(town: Town) -> None:
    town.person("alice")
    town.person("bob", consents=())
    town.journey(PAUSING)
    town.log("signed_up", "bob", source="shop")
    town.work()
    join(town, "alice", "bob")
    town.run_until("2026-06-02T09:00")
    (run,) = town.enrolments("alice")
    assert (run.end_reason, run.origin_profile_id) == ("completed", town.people["bob"])
    assert town.enrolments("bob") == []
    assert town.sends("alice") == [("2026-06-02T08:00", "letter")]
    (sent,) = town.messages("alice")
    opened = town.runtime.vault.open_document(sent.profile_id, "message.context", sent.context)
    assert opened["entry"]["source"] == "shop"


def test_what_the_survivor_does_is_heard_when_the_run_began_with_the_other(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(WAITING)
    town.log("cart_updated", "bob", cart_id="c1")
    town.work()
    join(town, "alice", "bob")
    town.work()
    with town.runtime.database.read() as connection:
        assert set(connection.scalars(select(event_wait.c.profile_id))) == {town.people["alice"]}
    town.log("cart_emptied", "alice", cart_id="c1")
    town.work()
    assert [step for _, step in town.sends("alice")] == ["letter"]


def test_the_goal_counts_when_the_survivor_had_reached_it_before_the_merge(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(WAITING)
    town.log("cart_updated", "bob", cart_id="c1")
    town.run_until("2026-06-01T10:00")
    town.log("profile_completed", "alice")
    town.work()
    join(town, "alice", "bob")
    town.work()
    (run,) = town.enrolments("alice")
    assert run.goal_at == at("2026-06-01T10:00")


@pytest.mark.parametrize("first", ["alice", "bob"])
def test_the_run_that_was_entered_earlier_stays_and_the_other_ends_when_both_are_under_way(
    town: Town, first: str
) -> None:
    alice, bob = town.person("alice"), town.person("bob")
    town.journey(WAITING)
    town.log("cart_updated", first, cart_id="c1")
    town.run_until("2026-06-01T09:00")
    town.log("cart_updated", "bob" if first == "alice" else "alice", cart_id="c1")
    town.log("cart_updated", "bob", cart_id="c2")
    town.work()
    join(town, "alice", "bob")
    town.work()
    ends = {(run.key, run.origin_profile_id or alice): run.end_reason for run in town.enrolments("alice")}
    earlier, later = (alice, bob) if first == "alice" else (bob, alice)
    assert ends == {("c1", earlier): None, ("c1", later): "merged", ("c2", bob): None}
    town.run_until("2026-06-05T08:00")
    assert len(town.sends("alice")) == 2


def test_everything_goes_back_when_the_merge_is_undone(town: Town) -> None:
    alice, bob = town.person("alice"), town.person("bob")
    town.journey(PAUSING)
    town.log("signed_up", "bob", source="shop")
    town.work()
    decided = {
        "id": "d1", "offer": "teas", "profile_id": bob, "surface": "email", "items": [], "decided_at": town.clock.now(),
        "is_holdout": False, "fallback_level": 0, "rule_set_id": None, "key": "k",
    }  # fmt: skip
    with town.runtime.database.transaction() as connection:
        known = {column.name for column in offer_decision.c}
        connection.execute(insert(offer_decision), [{name: one for name, one in decided.items() if name in known}])
    number = join(town, "alice", "bob")
    town.work()
    assert owners(town) == {"run": alice, "offer": alice}
    part(town, number)
    town.work()
    assert owners(town) == {"run": bob, "offer": bob}
    town.run_until("2026-06-02T09:00")
    assert town.sends() == [("2026-06-02T08:00", "letter")]
    assert town.messages("bob")[0].origin_profile_id is None


def test_a_run_stands_still_when_its_person_is_merged_and_nothing_has_followed_yet(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(PAUSING)
    town.log("signed_up", "bob", source="shop")
    town.work()
    join(town, "alice", "bob")
    town.clock.move_to(at("2026-06-02T08:00"))
    town.tick_alone()
    assert town.runs("bob") == [("active", None)]
    assert town.due("bob") == "2026-06-02T08:00"
    town.work()
    assert town.sends("alice") == [("2026-06-02T08:00", "letter")]


def test_merges_are_followed_once_when_there_are_many_in_a_row(town: Town) -> None:
    for name in ("alice", "bob", "carol"):
        town.person(name)
    town.journey(PAUSING)
    town.log("signed_up", "carol", source="shop")
    town.work()
    join(town, "bob", "carol")
    join(town, "alice", "bob")
    now = town.clock.now()
    assert follow_merges(town.runtime, now) == 2
    assert follow_merges(town.runtime, now) == 0
    assert owners(town)["run"] == town.people["alice"]
    assert [run.origin_profile_id for run in town.enrolments("alice")] == [town.people["carol"]]


def test_a_message_that_was_sent_belongs_to_the_survivor_when_its_recipient_is_merged(town: Town) -> None:
    town.person("alice")
    bob = town.person("bob")
    town.journey(PAUSING)
    town.log("signed_up", "bob", source="shop")
    town.run_until("2026-06-02T09:00")
    join(town, "alice", "bob")
    town.work()
    (sent,) = town.messages("alice")
    assert sent.origin_profile_id == bob
    opened = town.runtime.vault.open_document(bob, "message.context", sent.context)
    assert opened["entry"]["source"] == "shop"


def owners(town: Town) -> dict[str, int]:
    with town.runtime.database.read() as connection:
        run = connection.execute(select(enrolment.c.profile_id)).scalar()
        offer = connection.execute(select(offer_decision.c.profile_id)).scalar()
        assert connection.execute(select(message.c.id)).all() == []
    return {name: owner for name, owner in (("run", run), ("offer", offer)) if owner is not None}
