"""Tasks for people: made once, moved as the machine allows, listed page by page, and sealed."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from core.cursors import Position
from core.errors import ConflictError, InputError, NotFoundError
from core.runtime import Runtime
from customers.identities import resolve
from customers.log import LoggedEvent, read_log
from customers.tables import IdentityKind, ProfileStatus, profile
from customers.task_list import TaskFilter, list_tasks
from customers.task_moves import Assign, Cancel, Finish, Move, Reopen, Reschedule, Standing, Take, decide
from customers.task_tables import UNFINISHED, Priority, TaskKind, TaskStatus, task
from customers.tasks import NewTask, Task, TaskOrigin, change_task, create_tasks, find_task_id, get_task
from tests.customers.conftest import NOW, WORKSPACE

HOUR = timedelta(hours=1)
CALL = TaskOrigin("journey", "returns", "enrolment-1", "call")


def person(runtime: Runtime, name: str) -> int:
    with runtime.database.transaction() as connection:
        found = resolve(connection, runtime.vault, {IdentityKind.EXTERNAL_ID: name}, NOW)
    assert found is not None
    return found


def create(runtime: Runtime, *tasks: NewTask) -> set[str]:
    with runtime.database.transaction() as connection:
        return create_tasks(connection, runtime.vault, WORKSPACE, tasks, NOW)


def change(runtime: Runtime, task_id: str, move: Move, after: timedelta = HOUR) -> Task:
    with runtime.database.transaction() as connection:
        return change_task(connection, runtime.vault, WORKSPACE, task_id, move, NOW + after)


def log(runtime: Runtime) -> list[LoggedEvent]:
    with runtime.database.read() as connection:
        return read_log(connection, Position(), 100)[0]


def listed(runtime: Runtime, limit: int = 50, after: str | None = None, **wanted: Any) -> list[str]:
    with runtime.database.read() as connection:
        page = list_tasks(connection, runtime.vault, TaskFilter(**wanted), limit=limit, after=after)
    return [one.id for one in page.tasks]


def test_a_task_is_made_once_with_its_event_when_the_same_cause_comes_again(runtime: Runtime) -> None:
    alice = person(runtime, "alice")
    new = NewTask(
        "t-1", "  Call Alice\nabout her return ", TaskKind.SERVICE_REQUEST, alice, "She is  at home after six.",
        team="service", priority=Priority.HIGH, due_at=NOW + HOUR, origin=CALL,
    )  # fmt: skip
    assert create(runtime, new, new) == {"t-1"}
    assert create(runtime, new) == set()
    with runtime.database.read() as connection:
        made = get_task(connection, runtime.vault, "t-1")
    assert (made.title, made.body) == ("Call Alice about her return", "She is  at home after six.")
    assert (made.status, made.priority, made.origin) == (TaskStatus.OPEN, Priority.HIGH, CALL)
    [event] = log(runtime)
    assert (event.name, event.profile_id, event.occurred_at) == ("task_created", alice, NOW)
    assert event.properties == {
        "task_id": "t-1", "kind": "service_request", "team": "service", "priority": "high",
        "origin": "returns", "step": "call",
    }  # fmt: skip


def test_texts_are_sealed_when_a_task_is_about_somebody_or_about_nobody(runtime: Runtime) -> None:
    alice = person(runtime, "alice")
    create(runtime, NewTask("a", "Secret title", profile_id=alice, body="Secret body"), NewTask("b", "Secret errand"))
    with runtime.database.read() as connection:
        rows = connection.execute(select(task)).all()
        assert get_task(connection, runtime.vault, "b").title == "Secret errand"
        assert b"Secret" not in b"".join(row.sealed_title + (row.sealed_body or b"") for row in rows)
    assert [event.profile_id for event in log(runtime)] == [alice]  # the log is about people


def test_a_task_tells_its_outcome_when_it_is_taken_and_done(runtime: Runtime) -> None:
    create(runtime, NewTask("t", "Call", profile_id=person(runtime, "alice"), origin=CALL))
    taken = change(runtime, "t", Take("Kim"))
    assert (taken.status, taken.assignee) == (TaskStatus.IN_PROGRESS, "Kim")
    done = change(runtime, "t", Finish("reached"), 2 * HOUR)
    assert (done.status, done.outcome, done.closed_at) == (TaskStatus.DONE, "reached", NOW + 2 * HOUR)
    change(runtime, "t", Finish("reached"), 3 * HOUR)  # the button was pressed twice
    [_, closed] = log(runtime)
    assert (closed.name, closed.occurred_at) == ("task_closed", NOW + 2 * HOUR)
    assert (closed.properties["outcome"], closed.properties["step"]) == ("reached", "call")


def test_a_task_is_closed_again_with_another_event_when_it_was_reopened(runtime: Runtime) -> None:
    create(runtime, NewTask("t", "Call", profile_id=person(runtime, "alice")))
    change(runtime, "t", Cancel())
    reopened = change(runtime, "t", Reopen(), 2 * HOUR)
    assert (reopened.status, reopened.outcome, reopened.closed_at) == (TaskStatus.OPEN, None, None)
    change(runtime, "t", Finish("left_message"), 3 * HOUR)
    assert [event.properties.get("outcome") for event in log(runtime)] == [None, "cancelled", "left_message"]


def test_a_closed_task_is_refused_with_the_way_out_when_it_is_moved(runtime: Runtime) -> None:
    create(runtime, NewTask("t", "Call"))
    change(runtime, "t", Finish("reached"))
    for move in (Take("Kim"), Assign(team="sales"), Reschedule(NOW), Cancel(), Finish("not_reached")):
        with pytest.raises(ConflictError, match="reopen it first"):
            change(runtime, "t", move)


@pytest.mark.parametrize("word", ["", "Reached", "she said no", "cancelled", "x" * 51])
def test_an_outcome_is_refused_when_it_is_no_word(runtime: Runtime, word: str) -> None:
    create(runtime, NewTask("t", "Call"))
    with pytest.raises(InputError, match="outcome"):
        change(runtime, "t", Finish(word))


@pytest.mark.parametrize(
    "wrong",
    [
        NewTask("t", " \n"),
        NewTask("t", "x" * 501),
        NewTask("t", "Call", body="x" * 10_001),
        NewTask("t", "Call", team="a\nb"),
    ],
)
def test_a_task_is_refused_when_its_texts_cannot_be_used(runtime: Runtime, wrong: NewTask) -> None:
    with pytest.raises(InputError):
        create(runtime, wrong)


def test_a_title_commands_no_terminal_when_somebody_is_called_strangely(runtime: Runtime) -> None:
    create(runtime, NewTask("t", "Call \x1b[2JEve\x07", body="one\r\ntwo\x1b"))
    with runtime.database.read() as connection:
        made = get_task(connection, runtime.vault, "t")
    assert (made.title, made.body) == ("Call [2JEve", "one\ntwo ")


def test_a_task_is_not_made_when_its_person_was_erased_and_shows_nothing_of_one_who_is(runtime: Runtime) -> None:
    alice, bob = person(runtime, "alice"), person(runtime, "bob")
    create(runtime, NewTask("a", "Call Alice", profile_id=alice, body="at six"))
    with runtime.database.transaction() as connection:
        gone = update(profile).where(profile.c.id.in_([alice, bob]))
        connection.execute(gone.values(status=ProfileStatus.ERASED))
    for number in (alice, bob):
        runtime.vault.destroy(number)
    assert create(runtime, NewTask("b", "Call Bob", profile_id=bob)) == set()
    with runtime.database.read() as connection:
        kept = get_task(connection, runtime.vault, "a")
        [in_list] = list_tasks(connection, runtime.vault).tasks
    assert (kept.title, kept.body, kept.profile_id) == (None, None, alice)
    assert in_list == kept


def test_the_title_is_readable_when_its_profile_was_merged(runtime: Runtime) -> None:
    alice, other = person(runtime, "alice"), person(runtime, "other")
    create(runtime, NewTask("t", "Call", profile_id=other))
    with runtime.database.transaction() as connection:
        connection.execute(update(task).values(profile_id=alice, origin_profile_id=other))
        connection.execute(update(profile).where(profile.c.id == other).values(status=ProfileStatus.MERGED))
    assert change(runtime, "t", Take("Kim")).title == "Call"
    assert listed(runtime, profile_id=alice) == ["t"]


def test_a_task_is_found_by_the_beginning_of_its_id_when_only_one_begins_so(runtime: Runtime) -> None:
    create(runtime, NewTask("abc1", "One"), NewTask("abd2", "Two"))
    with runtime.database.read() as connection:
        assert find_task_id(connection, "ABC") == "abc1"
        with pytest.raises(InputError, match="several"):
            find_task_id(connection, "ab")
        for missing in ("x", "", "%", "abc1" * 9):
            with pytest.raises(NotFoundError):
                find_task_id(connection, missing)


def test_pages_have_every_task_once_in_the_order_of_their_haste_when_the_list_is_walked(runtime: Runtime) -> None:
    due = [None, NOW - HOUR, NOW + HOUR]
    wanted = [
        (when is None, when or NOW, list(Priority)[::-1].index(rank), f"t{number:02}")
        for number, (when, rank) in enumerate(product(due, Priority))
    ]
    new = [
        NewTask(f"t{n:02}", "x", due_at=when, priority=rank) for n, (when, rank) in enumerate(product(due, Priority))
    ]
    create(runtime, *new)
    found: list[str] = []
    following: str | None = None
    while not found or following:
        with runtime.database.read() as connection:
            page = list_tasks(connection, runtime.vault, limit=4, after=following)
        found += [one.id for one in page.tasks]
        following = page.following
    assert found == [one[-1] for one in sorted(wanted)]
    for wrong in ("", "x", "1.2", "1.x.t01"):
        with pytest.raises(InputError):
            listed(runtime, after=wrong)


def test_the_list_has_what_was_asked_for_when_it_is_filtered(runtime: Runtime) -> None:
    alice = person(runtime, "alice")
    create(
        runtime,
        NewTask("a", "A", team="sales", due_at=NOW - HOUR, profile_id=alice),
        NewTask("b", "B", TaskKind.COMPLAINT, assignee="Kim", due_at=NOW),
        NewTask("c", "C", team="sales", due_at=NOW - HOUR),
    )
    change(runtime, "c", Finish("reached"))
    assert listed(runtime) == ["a", "b"]
    assert listed(runtime, statuses=[TaskStatus.DONE]) == ["c"]
    assert listed(runtime, statuses=TaskStatus, team="sales") == ["a", "c"]
    assert listed(runtime, assignee="Kim") == ["b"]
    assert listed(runtime, kinds=[TaskKind.COMPLAINT]) == ["b"]
    assert listed(runtime, profile_id=alice) == ["a"]
    assert listed(runtime, statuses=TaskStatus, overdue_at=NOW) == ["a"]  # due at NOW: not yet over


def test_the_second_is_told_when_two_change_a_task_at_once(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    create(runtime, NewTask("t", "Call"))

    def meanwhile(*arguments: Any) -> Standing:
        monkeypatch.undo()
        connection.execute(update(task).values(status="cancelled"))
        return decide(*arguments)

    monkeypatch.setattr("customers.tasks.decide", meanwhile)
    with runtime.database.transaction() as connection, pytest.raises(ConflictError, match="same moment"):
        change_task(connection, runtime.vault, WORKSPACE, "t", Take("Kim"), NOW)


MOVES = st.sampled_from(
    [Take("Kim"), Assign("Lee", "sales"), Reschedule(NOW), Finish("reached"), Finish("lost"), Cancel(), Reopen()]
)


@given(moves=st.lists(MOVES, max_size=8))
def test_outcome_and_closing_stand_exactly_when_a_task_is_closed(moves: list[Move]) -> None:
    standing = Standing(TaskStatus.OPEN)
    for number, move in enumerate(moves):
        try:
            after = decide(standing, move, NOW + number * HOUR)
        except ConflictError:
            assert standing.status not in UNFINISHED
            continue
        assert decide(after, move, NOW + 99 * HOUR) == after  # twice is once
        standing = after
        closed = standing.status not in UNFINISHED
        assert (standing.outcome is not None, standing.closed_at is not None) == (closed, closed)
