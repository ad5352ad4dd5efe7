"""`wait_for` in full: several things at once, counted ones, and answers that later steps can ask for."""

from __future__ import annotations

import pytest

from tests.journeys.test_flow import emitted
from tests.journeys.town import Town

HEAD = "journey: x\nenter: {event: signed_up}\nsteps:\n"


def test_the_wait_ends_with_the_event_that_makes_it_enough_when_it_counts(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(
        HEAD + "  - {id: thrice, wait_for: {event: visited, count: {gte: 3}}, timeout: 1d, then: [{emit: enough}],"
        " on_timeout: [{emit: too_few}]}\n"
    )
    for name in ("alice", "bob"):
        town.log("signed_up", name)
    town.work()
    for hour in ("09:00", "10:00", "11:00"):
        town.run_until(f"2026-06-01T{hour}")
        town.log("visited", "alice")
        if hour != "11:00":
            town.log("visited", "bob")
        town.work()
    assert emitted(town, "alice") == ["enough"]
    town.run_until("2026-06-02T09:00")
    assert emitted(town, "bob") == ["too_few"]


@pytest.mark.parametrize(
    ("words", "hour"),
    [
        ("count: {gte: 2}, within: 1h", "12:30"),  # an hour to the second is too long
        ("sum: {of: total, is: {gte: 60}}", "11:00"),
        ("sum: {of: total, is: {gte: 60}}, within: 2h", "12:00"),
        ("avg: {of: total, is: {gte: 20}}", "11:00"),
        ("min: {of: total, is: {lt: 10}}", "12:30"),
        ("max: {of: total, is: {gte: 30}}", "11:00"),
        ("first: {of: total, is: 10}, count: 3", "11:00"),
        ("last: {of: page, is: b}", "12:00"),
        ("distinct: {of: page, is: 2}, count: {gte: 3}", "12:00"),
        ("sum: {of: page, is: {gte: 1}}", None),
    ],
)
def test_the_wait_ends_with_the_event_by_which_what_is_reckoned_is_enough(
    town: Town, words: str, hour: str | None
) -> None:
    town.person("alice")
    town.journey(
        HEAD + f"  - {{id: w, wait_for: {{event: visited, {words}}}, timeout: 1d, then: [{{emit: enough}}]}}\n"
    )
    town.log("signed_up", "alice")
    town.work()
    for at, page, total in (
        ("09:00", "a", 10), ("10:00", "a", 20), ("11:00", "a", 30), ("12:00", "b", 30), ("12:30", "b", 5),
    ):  # fmt: skip
        town.run_until(f"2026-06-01T{at}")
        town.log("visited", "alice", page=page, total=total)
        town.work()
    done = [f"{one.at:%H:%M}" for one in town.entries("alice") if one.data.get("step") == "w" and one.kind == "step"]
    assert done == ([hour] if hour else [])


def test_what_happened_since_entering_counts_when_the_wait_says_so(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    for name, since in (("wide", "since: entry"), ("narrow", "since: step")):
        text = HEAD + f"  - {{id: nap, wait: 2h}}\n  - {{id: w, wait_for: {{event: visited, {since}}}, timeout: 1h,"
        town.journey(text.replace("journey: x", f"journey: {name}") + f" then: [{{emit: {name}}}]}}\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T09:00")
    town.log("visited", "alice")
    town.run_until("2026-06-01T12:00")
    assert emitted(town, "alice") == ["wide"]


def test_no_round_is_run_when_until_holds_before_the_first(town: Town) -> None:
    """Scenario 72, second half."""
    town.person("alice", tier="x")
    town.journey(HEAD + "  - {id: r, repeat: {max: 3, until: {attribute: tier, is: x}, do: [{emit: round}]}}\n")
    town.log("signed_up", "alice")
    town.work()
    assert emitted(town, "alice") == []
    assert [entry.data["branch"] for entry in town.entries("alice") if entry.data.get("step") == "r"] == [[0]]
