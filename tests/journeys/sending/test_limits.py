"""How many messages somebody gets: rolling limits, what follows when one is used up, and who wins the last place."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.sending.words import HEAD, endings, one_mail
from tests.journeys.town import WORKSPACE

ONE_A_DAY = WORKSPACE + "limits: [{messages: 1, per: 24h}]\n"
OFTEN = """
steps:
  - {id: one, email: a}
  - {id: w1, wait: 5h}
  - {id: two, email: b}
  - {id: w2, wait: %s}
  - {id: three, email: c, topic: %s}
"""


@pytest.mark.parametrize(
    ("second_wait", "sent"),
    [("18h59m59s", False), ("19h", True)],
)
def test_a_place_is_free_again_exactly_when_the_window_has_rolled_past(
    make_town: MakeTown, second_wait: str, sent: bool
) -> None:
    """Scenario 50: sent at 10:00 and 15:00; at 09:59:59 the next day there is no room, at 10:00:00 there is."""
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    town.journey("journey: often\n" + HEAD + "limits: [{messages: 2, per: 24h}]\n" + OFTEN % (second_wait, "marketing"))
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T10:00")
    assert endings(town) == [("sent", None), ("sent", None), ("sent", None) if sent else ("skipped", "cap")]


@pytest.mark.parametrize(
    ("then", "third", "ending"),
    [("skip", [], "completed"), ("wait", [("2026-06-02T10:00", "three")], "completed"), ("exit", [], "cap")],
)
def test_the_flow_follows_the_limit_when_a_third_message_is_due(
    make_town: MakeTown, then: str, third: list[tuple[str, str]], ending: str
) -> None:
    """Scenario 52."""
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    town.journey(
        f"journey: often\n{HEAD}limits: [{{messages: 2, per: 24h, then: {then}}}]\n" + OFTEN % ("5h", "marketing")
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T10:00")
    assert town.sends() == [("2026-06-01T10:00", "one"), ("2026-06-01T15:00", "two"), *third]
    assert town.runs() == [("ended", ending)]


def test_a_transactional_message_is_neither_held_nor_counted_when_the_limit_is_used_up(make_town: MakeTown) -> None:
    """Scenario 52."""
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    steps = OFTEN % ("5h", "orders")
    town.journey(
        "journey: often\n"
        + HEAD
        + "limits: [{messages: 2, per: 24h, then: wait}]\n"
        + steps.replace("topic: orders", "topic: orders, kind: transactional")
        + "  - {id: w3, wait: 14h}\n  - {id: four, email: d}\n"
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T10:00")
    assert town.sends()[2:] == [("2026-06-01T20:00", "three"), ("2026-06-02T10:00", "four")]


@pytest.mark.parametrize(("strong", "weak"), [("zebra", "apple"), ("apple", "zebra")])
def test_the_higher_priority_wins_when_two_journeys_want_the_last_place(
    make_town: MakeTown, strong: str, weak: str
) -> None:
    """Scenario 51; the loser's story says who won."""
    town = make_town("2026-06-01T10:00", ONE_A_DAY)
    town.person("alice")
    town.journey(one_mail("priority: 80\n", name=strong))
    town.journey(one_mail("priority: 40\n", name=weak))
    town.log("signed_up", "alice")
    town.work()
    outcome = {row.origin: (row.status, row.reason) for row in town.messages("alice")}
    assert outcome == {strong: ("sent", None), weak: ("skipped", "cap")}
    (capped,) = [one for one in town.entries("alice") if one.kind == "capped"]
    assert capped.data["taken_by"] == f"journey:{strong}/first"
    assert any(f"the last by journey:{strong}/first" in line for line in town.story("alice", weak))


def test_the_id_decides_when_two_held_messages_may_go_at_the_same_instant(make_town: MakeTown) -> None:
    """Scenario 51."""
    town = make_town("2026-06-01T22:00", ONE_A_DAY + "quiet_hours: {from: 21:00, to: 08:00}\n")
    town.person("alice")
    town.journey(one_mail("", name="early"))
    town.journey("journey: late\n" + HEAD + "steps: [{id: w, wait: 1h}, {id: first, email: one}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    ended = {row.origin: row.status for row in town.messages("alice")}
    assert sorted(ended.values()) == ["sent", "skipped"]
    winner = min(town.messages("alice"), key=lambda row: row.id)
    assert ended[winner.origin] == "sent"


@pytest.mark.parametrize(("scope", "count"), [("journey", 2), ("journeys", 1), ("workspace", 1), ("topic", 1)])
def test_a_limit_counts_as_far_as_its_scope_reaches(make_town: MakeTown, scope: str, count: int) -> None:
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    limit = f"limits: [{{messages: 1, per: 24h, scope: {scope}}}]\n"
    town.journey(one_mail(limit, name="apple"))
    town.journey(one_mail(limit, name="zebra"))
    town.log("signed_up", "alice")
    town.work()
    assert len(town.sends()) == count


def test_a_limit_of_one_topic_lets_other_topics_pass(make_town: MakeTown) -> None:
    topics = "topics:\n  news: {name: News, kind: marketing}\n"
    town = make_town("2026-06-01T10:00", WORKSPACE.replace("topics:\n", topics))
    town.person("alice", consents=("email.marketing", "email.news"))
    town.journey(
        "journey: two\n"
        + HEAD
        + "limits: [{messages: 0, per: 24h, topic: news}]\n"
        + "steps: [{id: a, email: one, topic: news}, {id: b, email: two}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    assert {row.step: row.reason for row in town.messages("alice")} == {"a": "cap", "b": None}


def test_a_limit_of_the_whole_journey_counts_each_run_alone(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    text = (
        "journey: twice\n"
        + HEAD
        + "limits: [{messages: 1, per: journey}]\n"
        + "steps: [{id: a, email: one}, {id: w, wait: 2d}, {id: b, email: two}]\n"
    )
    town.journey(text)
    town.log("signed_up", "alice")
    town.run_until("2026-06-05T00:00")
    town.log("signed_up", "alice")
    town.run_until("2026-06-09T00:00")
    assert [step for _, step in town.sends()] == ["a", "a"]


def test_nobody_who_is_held_out_of_everything_gets_marketing_and_all_get_receipts(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T10:00", WORKSPACE + "global_holdout: 99.99%\n")
    town.person("alice")
    town.journey(
        f"journey: two\n{HEAD}"
        "steps: [{id: a, email: one}, {id: b, email: two, topic: orders, kind: transactional}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    assert {row.step: row.reason for row in town.messages("alice")} == {"a": "holdout", "b": None}
