"""`task`: what a journey asks of people, made once, and what it does with their answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

import journeys.tick
from core.ids import derived_id
from core.located import load_yaml
from core.runtime import Runtime
from core.schema_check import check_schema
from customers.consent import ConsentStatus
from customers.task_list import TaskFilter, list_tasks
from customers.task_moves import Cancel, Finish, Move, Take
from customers.task_tables import Priority, TaskKind, TaskStatus
from customers.tasks import NewTask, Task, change_task, create_tasks
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.tick import TickResult
from tests.journeys.conftest import MakeTown
from tests.journeys.test_check import faults_of
from tests.journeys.test_traces import plan, told
from tests.journeys.town import Town

Golden = Callable[[str, str], None]
HEAD = "journey: x\nenter: {event: signed_up}\nsteps:\n"

CALL_BACK = """
journey: call_back
enter: {event: order_returned, where: {total: {lte: -20000}}}
defaults: {topic: marketing}
steps:
  - {id: sorry, email: sorry}
  - id: call
    task:
      title: Call {{ profile.first_name | default("the customer") }} about {{ entry.order_id }}
      body: "{{ entry.skus | join(', ') }}: ask what was wrong."
      team: service
      due: 1d
      priority: high
  - id: answer
    wait_for:
      - {event: task_closed, where: {step: call, outcome: reached}}
      - {event: task_closed, where: {step: call}}
    timeout: 3d
    on_timeout: [{id: chase, task: {title: "Chase {{ steps.call.task_id }}", team: leads}}]
  - id: next
    choose:
      - {if: {branch: answer, is: 1}, then: [{id: thanks, emit: called}]}
      - {if: {branch: answer, is: 2}, then: [{id: letter, email: letter}]}
"""


def tasks(town: Town, **wanted: Any) -> list[Task]:
    with town.runtime.database.read() as connection:
        return list_tasks(connection, town.runtime.vault, TaskFilter(**wanted)).tasks


def close(town: Town, person: str, move: Move, step: str = "call") -> None:
    """What somebody of the team does, with the latest task of a step about this person."""
    mine = [
        one
        for one in tasks(town, statuses=TaskStatus)
        if one.profile_id == town.people[person] and one.origin and one.origin.step == step
    ]
    latest = max(mine, key=lambda one: one.created_at)
    with town.runtime.database.transaction() as connection:
        change_task(connection, town.runtime.vault, town.workspace, latest.id, move, town.clock.now())


def complain(town: Town, person: str, task_id: str = "c-1") -> None:
    new = NewTask(task_id, "The kettle leaks", TaskKind.COMPLAINT, town.people[person])
    with town.runtime.database.transaction() as connection:
        create_tasks(connection, town.runtime.vault, town.workspace, [new], town.clock.now())


def move(town: Town, task_id: str, made: Move) -> None:
    with town.runtime.database.transaction() as connection:
        change_task(connection, town.runtime.vault, town.workspace, task_id, made, town.clock.now())


def test_a_call_back_reads_as_written_when_people_are_reached_missed_and_forgotten(
    make_town: MakeTown, golden: Golden
) -> None:
    """With Bob's withdrawn consent this is scenario 57: after the skipped mail the task is made all the same."""
    town = make_town("2026-06-01T08:00")
    town.person("alice", timezone="Europe/Berlin", first_name="Alice")
    town.person("bob")
    town.person("carol", first_name="Carol")
    town.person("dave")
    town.journey(CALL_BACK)
    town.consent("bob", "email.marketing", ConsentStatus.WITHDRAWN)
    returned = {"order_id": "R-1", "total": -25000, "skus": ["KETTLE", "POT"]}
    plan(
        town,
        [
            *(("2026-06-01T09:00", "order_returned", name, returned) for name in ("alice", "bob", "carol")),
            ("2026-06-01T09:00", "order_returned", "dave", returned | {"total": -19999}),
        ],
    )
    town.plan("2026-06-01T15:00", lambda: close(town, "alice", Take("Kim")))
    town.plan("2026-06-01T15:10", lambda: close(town, "alice", Finish("reached")))
    town.plan("2026-06-02T10:00", lambda: close(town, "bob", Finish("no_answer")))
    town.run_until("2026-06-06T00:00")
    lines = [
        f"{one.kind} {one.title!r} ({one.body}) for {one.team}, {one.priority}, "
        f"due {f'{one.due_at:%d %b %H:%M}' if one.due_at else 'some day'}: {one.outcome or one.status}"
        for one in sorted(tasks(town, statuses=TaskStatus), key=lambda one: (one.created_at, one.profile_id or 0))
    ]
    ids = {one.id: "TASK-ID" for one in tasks(town, statuses=TaskStatus)}
    text = "\n".join(lines) + "\n"
    for task_id, word in ids.items():
        text = text.replace(task_id, word)
    golden("journeys/call_back.txt", told(town, CALL_BACK, "2026-06-01T00:00") + "---\n" + text)


def test_a_task_has_an_id_of_its_cause_when_the_engine_is_killed_and_started_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.person("alice")
    town.journey(HEAD + "  - {id: call, task: {title: Call}}\n  - {id: rest, wait: 1d}\n")
    town.log("signed_up", "alice")

    def dying(runtime: Runtime, now: Any, work: Callable[[Connection, Scene], TickResult]) -> TickResult:
        monkeypatch.undo()
        with runtime.database.transaction() as connection:
            work(connection, Scene(runtime.vault, get_catalogue(connection), now))
            raise KeyboardInterrupt

    monkeypatch.setattr(journeys.tick, "_one", dying)
    with pytest.raises(KeyboardInterrupt):
        town.work()
    assert tasks(town) == []
    town.work()
    [made] = tasks(town)
    [run] = town.enrolments("alice")
    assert made.id == derived_id(derived_id(run.uid, "call", 1), "task")
    assert (made.origin.id, made.origin.name) == (run.uid, "x") if made.origin else False
    assert (made.kind, made.priority, made.due_at) == (TaskKind.TO_DO, Priority.NORMAL, None)


def test_the_due_time_keeps_the_clock_on_the_wall_when_the_clocks_change_before(make_town: MakeTown) -> None:
    town = make_town("2026-03-28T09:00")
    town.person("alice", timezone="Europe/Berlin")
    town.journey(HEAD + "  - {task: {title: Call, due: 1d}}\n  - {task: {title: Call, due: 24h}}\n")
    town.log("signed_up", "alice")
    town.work()
    assert [f"{one.due_at:%d %H:%M}" for one in tasks(town)] == ["29 08:00", "29 09:00"]


def test_a_title_that_cannot_be_rendered_follows_on_error_when_trying_again_has_not_helped(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey(
        HEAD
        + "  - id: call\n    task: {title: 'Call {{ profile.first_name }}'}\n    on_error: [{id: oh, emit: lost}]\n"
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.plan("2026-06-01T08:03", lambda: town.set("bob", first_name="Bob"))
    town.run_until("2026-06-01T10:00")
    cause = "call failed: task.title: 'profile.first_name' is missing and has no default"
    assert [line[11:] for line in town.story("alice", "x")] == [
        "08:00:00 Came in, because signed_up happened",
        f"08:00:00 {cause}; tried again at 08:01",
        f"08:01:00 {cause}; tried again at 08:06",
        f"08:06:00 {cause}; tried again at 08:36",
        f"08:36:00 {cause}; not tried again",
        "08:36:00 call: given up; goes on as `on_error` says",
        "08:36:00 oh: log lost",
        "08:36:00 Reached the end of the journey",
    ]
    assert [one.title for one in tasks(town)] == ["Call Bob"]


def test_nobody_is_asked_to_do_nothing_when_the_title_turns_out_empty(town: Town) -> None:
    town.person("alice")
    town.journey(HEAD + "  - {id: call, task: {title: '{{ entry.source }}'}, on_error: exit}\n")
    town.log("signed_up", "alice", source=" ")
    town.run_until("2026-06-02T00:00")
    assert (tasks(town), town.runs("alice")) == ([], [("ended", "error")])


def test_each_run_waits_for_its_own_task_when_two_run_side_by_side(town: Town) -> None:
    town.person("alice")
    town.journey(
        "journey: carts\nenter: {event: cart_updated, key: cart_id}\nmode: parallel\nsteps:\n"
        "  - {id: call, task: {title: 'Ask about {{ entry.cart_id }}'}}\n"
        "  - {id: done, wait_for: {event: task_closed, where: {step: call}}, timeout: 2d, then: [{exit: called}]}\n"
    )
    town.log("cart_updated", "alice", cart_id="one", total=1)
    town.log("cart_updated", "alice", cart_id="two", total=1)
    town.work()
    [second] = [one for one in tasks(town) if one.title == "Ask about two"]
    move(town, second.id, Finish("reached"))
    town.run_until("2026-06-04T00:00")
    assert {run.key: run.end_reason for run in town.enrolments()} == {"one": "completed", "two": "called"}


def test_the_task_of_this_round_is_meant_when_the_step_is_repeated(town: Town) -> None:
    town.person("alice")
    town.journey(
        HEAD + "  - id: rounds\n    repeat:\n      max: 2\n      do:\n"
        "        - {id: call, task: {title: Call}}\n"
        "        - {id: done, wait_for: {event: task_closed, where: {step: call}}, timeout: 1h}\n"
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T09:00")
    first, second = sorted(tasks(town), key=lambda one: one.created_at)
    move(town, first.id, Cancel())
    town.work()
    assert town.runs("alice") == [("active", None)]
    move(town, second.id, Finish("reached"))
    town.work()
    assert town.runs("alice") == [("ended", "completed")]


def test_what_was_closed_before_the_wait_counts_when_it_looks_back_to_the_entry(town: Town) -> None:
    town.person("alice")
    town.journey(
        HEAD + "  - {id: call, task: {title: Call}}\n  - {id: day, wait: 1d}\n"
        "  - id: done\n    wait_for: {event: task_closed, where: {step: call}, since: entry}\n    timeout: 1h\n"
        "    then: [{id: said, set: {tier: '{{ steps.done.event.outcome }}'}}, {exit: called}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    close(town, "alice", Finish("reached"))
    town.run_until("2026-06-03T00:00")
    assert town.runs("alice") == [("ended", "called")]


def test_a_case_is_known_at_the_next_step_when_the_step_before_has_made_it(town: Town) -> None:
    town.person("alice")
    town.journey(
        HEAD + "  - {task: {title: Complaint, kind: complaint}}\n"
        "  - {if: {case: {status: open, kind: complaint}}, exit: has_case}\n"
    )
    town.log("signed_up", "alice")
    town.work()
    assert town.runs("alice") == [("ended", "has_case")]


def test_people_leave_at_once_when_somebody_takes_their_case(town: Town) -> None:
    town.person("alice")
    town.person("bob")
    town.journey("journey: x\nenter: {event: signed_up}\nexit: [{case: {status: in_progress}}]\nsteps: [{wait: 9d}]\n")
    for name in ("alice", "bob"):
        complain(town, name, f"case-{name}")
        town.log("signed_up", name)
    town.work()
    assert town.runs() == [("active", None)] * 2
    town.run_until("2026-06-01T12:00")
    move(town, "case-alice", Take("Kim"))
    town.work()
    assert (town.runs("alice"), town.runs("bob")) == ([("ended", "exit")], [("active", None)])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("{task: {title: 'Call {{ profile.name'}}", ["E172 'Call {{ pro"]),
        ("{task: {title: 'Call {{ links.unsubscribe }}'}}", ["E123 'Call {{ lin"]),
        ("{task: {title: 'Call {{ steps.b.task_id }}'}}", ["E111 'Call {{ ste"]),
        ("{task: {title: Call, body: '{{ x | shout }}'}}", ["E172 '{{ x | shou 'sort'?", "E123 '{{ x | shou"]),
        ("{task: {title: ' '}}", ["E103 ' '"]),
        ("{task: {title: Call, team: ' '}}", ["E103 ' '"]),
        ("{task: {title: Call, due: 48h}}", ["W204 48h"]),
        ("{if: {case: {status: opne}}, emit: x}", ["E103 opne 'open'?"]),
        ("{task: {title: Call}}", []),
    ],
)
def test_a_task_is_refused_with_its_place_when_it_is_written_wrongly(step: str, expected: list[str]) -> None:
    assert sorted(faults_of(HEAD + f"  - {step}\n")) == sorted(expected)


def test_a_kind_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    located, _ = load_yaml((HEAD + "  - {task: {title: Call, kind: complain}}\n").encode(), "x.yaml")
    assert located is not None
    [fault] = check_schema(located, "journey")
    assert (fault.code, fault.line, fault.hint) == ("E103", 4, "did you mean 'complaint'?")
