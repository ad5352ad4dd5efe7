"""What a simulation tells of entries, branches, losses and load: the same for equal input, and nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from core.database import metadata
from core.errors import ConflictError
from journeys.questions import Event
from journeys.simulation.costs import cost_of, load_of
from journeys.simulation.feed import Everybody, Feed, History, Stated
from journeys.simulation.report import report
from journeys.simulation.responses import Responses, parse_responses
from journeys.simulation.simulate import simulate
from journeys.simulation.told import told
from journeys.simulation.workers import share_out
from tests.journeys.conftest import MakeTown
from tests.journeys.simulation.same import plan_of
from tests.journeys.town import Town, at

JOURNEY = """
journey: series
enter: {event: signed_up, where: {source: {in: [web, app]}}, if: {consent: email.marketing, is: granted}}
goal: {event: order_placed, within: 30d, value: total, exit: true}
holdout: {percent: 20%}
quiet_hours: {from: "21:00", to: "08:00"}
limits: [{messages: 1, per: 2d, then: skip}]
defaults: {topic: marketing, expires_after: 2d}
steps:
  - {id: hello, email: hello}
  - {id: rest, wait: 1d}
  - {id: again, email: again}
  - id: arms
    split:
      a: {weight: 50, then: [{id: day, wait: 1d}]}
      b: {weight: 50, then: [{id: leave, exit: enough}]}
  - id: clicked
    wait_for: {message: hello, was: clicked}
    timeout: 4d
    then: [{id: mark, set: {tier: gold}}]
  - id: tier
    choose:
      - {name: gold, if: {attribute: tier, is: gold}, then: [{id: thanks, email: thanks}]}
"""
START, END = "2026-06-01T20:00", "2026-07-01T20:00"


def fill(town: Town, count: int = 40) -> None:
    for number in range(count):
        consents = () if number % 10 == 0 else ("email.marketing",)
        town.person(f"p{number}", consents=consents, timezone="Europe/Berlin" if number % 2 else "UTC")
    town.journey(JOURNEY)


def told_of(town: Town, feed: Feed, responses: Responses | None = None, chunk: int = 7) -> dict[str, Any]:
    plan = plan_of(town, "series", START, END, responses)
    tally, _ = simulate(town.runtime, plan, feed, chunk=chunk)
    return report(plan, feed.what, tally, {"email": 2.0})


def everybody(town: Town, spread: timedelta = timedelta()) -> Everybody:
    return Everybody(sorted(town.people.values()), spread, "seed")


def test_everything_adds_up_when_everybody_enters_once(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    fill(town)
    document = told_of(town, everybody(town))
    entries = document["entries"]
    assert entries["refused"] == {"condition": 4}
    assert entries["entered"] + entries["held_out"] == 36
    assert entries["held_out"] > 0
    hello, _rest, again, arms = document["steps"][:4]
    assert hello["ways"] == {"sent": entries["entered"]}
    assert again["ways"] == {"cap": entries["entered"]}
    assert sum(arms["blocks"]["a"][0]["outcomes"].values()) == arms["ways"]["a"]
    assert document["losses"] == {"cap": entries["entered"]}
    assert document["ended"] == {"completed": arms["ways"]["a"], "enough": arms["ways"]["b"]}
    assert document["held"]["quiet_hours"] > 0
    assert sum(document["messages"]["email"]["per_day"].values()) == document["messages"]["email"]["sent"]


def test_the_report_is_the_same_byte_for_byte_when_input_is_equal(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    fill(town)
    feed, answers = everybody(town, timedelta(days=3)), parse_responses("opens=0.5,clicks=0.4,seed=spring")
    first = msgspec.json.encode(told_of(town, feed, answers))
    assert msgspec.json.encode(told_of(town, feed, answers, chunk=1_000)) == first
    other = parse_responses("opens=0.5,clicks=0.4,seed=autumn")
    assert msgspec.json.encode(told_of(town, feed, other)) != first


def test_the_report_is_the_same_byte_for_byte_however_many_processes_share_the_people(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    fill(town)
    answers = parse_responses("opens=0.5,clicks=0.4,seed=spring")
    plan, feed = plan_of(town, "series", START, END, answers), everybody(town, timedelta(days=3))
    followed = sorted(town.people.values())[3:30]

    def run(workers: int) -> tuple[bytes, list[str]]:
        tally, timelines = simulate(town.runtime, plan, feed, followed=followed, chunk=6, workers=workers)
        lines = [line for number in followed for line in told(timelines[number])]
        return msgspec.json.encode(report(plan, feed.what, tally, {"email": 2.0})), lines

    alone = run(1)
    assert len(alone[1]) > len(followed)
    assert run(2) == alone
    assert run(5) == alone


def test_the_error_of_another_process_is_raised_here(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    fill(town, 4)

    def work(ids: Sequence[int]) -> int:
        if 3 in ids:
            raise ConflictError("three is too many.")
        return sum(ids)

    chunks = [[1], [2], [3], [4]]
    with pytest.raises(ConflictError, match="three is too many"):
        list(share_out(town.runtime, work, chunks, workers=2))
    assert list(share_out(town.runtime, work, [[1], [2], [4]], workers=2)) == [1, 2, 4]


def test_nothing_is_written_when_a_simulation_has_run(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    fill(town, 10)

    def rows() -> dict[str, int]:
        with town.runtime.database.read() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }

    before = rows()
    document = told_of(town, everybody(town))
    assert document["messages"]["email"]["sent"] > 0
    assert rows() == before
    assert town.sends() == []


def test_clicks_take_their_branch_when_a_model_of_answers_is_stated(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    fill(town)
    without = told_of(town, everybody(town))
    assert without["responses"] == {}
    document = told_of(town, everybody(town), Responses(opens=1.0, clicks=1.0, seed="x"))
    clicked = next(step for step in document["steps"] if step["id"] == "clicked")
    assert clicked["ways"]["1"] > 0
    assert document["steps"][-1]["ways"]["gold"] == clicked["ways"]["1"]


def test_history_is_replayed_by_when_it_happened_when_a_journey_is_backtested(make_town: MakeTown) -> None:
    town = make_town("2026-06-20T08:00")
    fill(town, 10)
    town.log("signed_up", "p1", occurred="2026-06-02T10:00", source="web", historical=True)
    town.log("order_placed", "p1", occurred="2026-06-02T12:00", total=500)
    town.log("signed_up", "p2", occurred="2026-06-03T10:00", source="app")
    town.log("signed_up", "p3", occurred="2026-05-31T10:00", source="app")
    town.log("signed_up", "p4", occurred="2026-06-03T10:00", source="shop")
    document = told_of(town, History())
    assert document["entries"]["entered"] + document["entries"]["held_out"] == 2
    assert document["goal"]["reached"] + document["goal"]["reached_held_out"] == 1
    assert any("never sent are not simulated" in note for note in document["notes"])


def test_what_stands_in_the_log_before_the_start_counts_for_conditions(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(
        "journey: series\nenter: {event: signed_up}\nsteps:\n"
        "  - id: busy\n    choose:\n"
        "      - {name: yes, if: {event: visited, count: {gte: 2}, within: 30d}, then: [{id: note, emit: noted}]}\n"
        "      - {name: old, if: {event: visited}, then: [{id: other, emit: noted}]}\n"
    )
    for occurred in ("2026-05-20T08:00", "2026-05-21T08:00"):
        town.log("visited", "alice", occurred=occurred)
    for occurred in ("2026-04-20T08:00", "2026-05-21T08:00"):
        town.log("visited", "bob", occurred=occurred)
    entry = [Event(1, "signed_up", at(START), at(START))]
    document = told_of(town, Stated(dict.fromkeys(town.people.values(), entry)))
    assert document["steps"][0]["ways"] == {"old": 1, "yes": 1}


def test_the_load_says_how_late_the_last_message_is_when_many_are_due_at_once() -> None:
    load = load_of({10: 600, 11: 60}, rate=2.0)
    assert load is not None
    assert (load.minute, load.count, load.latest_s) == (10, 600, 300.0)
    assert str(cost_of("email", 2_500)) == "0.25"
    assert cost_of("sms", 10) is None
