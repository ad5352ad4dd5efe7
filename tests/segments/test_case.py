"""`case`: complaints and service requests as a condition, told by explain, and followed by segments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.tables import profile
from customers.task_moves import Cancel, Take
from customers.task_tables import TaskKind, task
from customers.tasks import NewTask, change_task, create_tasks
from journeys.heartbeat import Heart
from segments.explaining.explain import Finding, explain
from segments.following import follow
from segments.language.parser import parse_conditions
from segments.language.rules import CaseRule
from segments.membership import matching, members
from segments.refresh import refresh_all
from tests.segments.parsing import parse
from tests.segments.people import NOW, SHOP, profile_row, task_row

ALICE, BOB, CAROL = 1, 2, 3
MINUTE = timedelta(minutes=1)
UNSETTLED = {"case": {"status": {"in": ["open", "in_progress"]}}}


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    """Alice, Bob and Carol, and three segments: of cases, around it, and of neither."""
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    vault.create_store()
    workspace = {"workspace": "shop", "timezone": "Europe/Berlin", "currency": "EUR"}
    segments = {"unsettled": UNSETTLED, "calm": {"not": {"segment": "unsettled"}}, "german": GERMAN}
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, CAROL)])
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
        for slug, who in segments.items():
            document = {"segment": slug, "who": who}
            publish(connection, "segment", slug, document=document, source="", file=f"segments/{slug}.yaml", now=NOW)
    yield Runtime(Settings(project=str(tmp_path)), database, vault, ManualClock(NOW))
    vault.close()


GERMAN = {"attribute": "country", "is": "DE"}


def complain(runtime: Runtime, profile_id: int, after: timedelta, kind: TaskKind = TaskKind.COMPLAINT) -> None:
    new = NewTask(f"task-{profile_id}", "The kettle leaks", kind, profile_id)
    with runtime.database.transaction() as connection:
        create_tasks(connection, runtime.vault, SHOP, [new], NOW + after)


def who(runtime: Runtime, segment: str) -> list[int]:
    with runtime.database.read() as connection:
        return members(connection, segment)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"status": "open"}, [ALICE]),
        ({"status": {"in": ["open", "in_progress"]}}, [ALICE, BOB]),
        ({"status": {"ne": "done"}}, [ALICE, BOB]),
        ({"kind": "service_request"}, [BOB]),
        ({"kind": "complaint", "status": "done"}, [ALICE]),
        ({"kind": "service_request", "status": "done"}, []),
    ],
)
def test_one_case_must_fit_both_when_status_and_kind_are_asked(
    database: Database, asked: dict[str, Any], expected: list[int]
) -> None:
    rows = [
        task_row(1, ALICE, "complaint", "open"),
        task_row(2, ALICE, "complaint", "done"),
        task_row(3, BOB, "service_request", "in_progress"),
        task_row(4, CAROL, "to_do", "open"),
    ]
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, CAROL)])
        connection.execute(insert(task), rows)
    with database.read() as connection:
        found = matching(connection, parse({"case": asked}), [ALICE, BOB, CAROL], NOW, SHOP)
        others = matching(connection, parse({"not": {"case": asked}}), [ALICE, BOB, CAROL], NOW, SHOP)
    assert sorted(found) == expected
    assert sorted(others) == sorted({ALICE, BOB, CAROL} - found)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"status": "opne"}, ["E103 status: no case has the status 'opne', did you mean 'open'?"]),
        ({"status": {"in": ["open", "shut"]}}, ["E103 status.in.1: no case has the status 'shut'"]),
        ({"kind": "to_do"}, ["E103 kind: no case has the kind 'to_do', write one of complaint, service_request"]),
        ({"kind": {"contains": "plaint"}}, ["E103 kind.contains: the kind of a case cannot be asked for 'contains'"]),
        ({"status": None}, ["E103 status: nothing can be compared with null"]),
    ],
)
def test_a_word_that_no_case_has_is_refused_at_its_place(asked: dict[str, Any], expected: list[str]) -> None:
    faults: list[str] = []

    def report(code: str, path: Any, message: str, hint: str = "", *, at_key: bool = False) -> None:
        faults.append(f"{code} {'.'.join(map(str, path[1:]))}: {message}, {hint}")

    assert isinstance(parse_conditions({"case": asked}, report), CaseRule)
    assert [fault.startswith(start) for fault, start in zip(faults, expected, strict=True)] == [True], faults


def test_the_cases_are_named_when_somebody_asks_why(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(ALICE), profile_row(BOB)])
        connection.execute(insert(task), [task_row(1, ALICE, "complaint", "in_progress")])
    rule = parse(UNSETTLED)
    with database.read() as connection:
        words = "case status in [open, in_progress]"
        assert explain(connection, rule, ALICE, NOW, SHOP) == [Finding(0, words, True, "complaint task-1 in_progress")]
        assert explain(connection, rule, BOB, NOW, SHOP) == [Finding(0, words, False)]


def test_segments_follow_their_cases_when_one_opens_moves_and_closes(runtime: Runtime) -> None:
    follow(runtime, NOW)
    assert who(runtime, "calm") == [ALICE, BOB, CAROL]
    complain(runtime, ALICE, MINUTE)
    assert follow(runtime, NOW + 2 * MINUTE).entered == 1
    assert (who(runtime, "unsettled"), who(runtime, "calm")) == ([ALICE], [BOB, CAROL])
    assert follow(runtime, NOW + 3 * MINUTE).evaluated == 0
    for move, after, expected in ((Take("Kim"), 4, [ALICE]), (Cancel(), 6, [])):
        with runtime.database.transaction() as connection:
            change_task(connection, runtime.vault, SHOP, f"task-{ALICE}", move, NOW + after * MINUTE)
        assert follow(runtime, NOW + (after + 1) * MINUTE).touched == 1
        assert who(runtime, "unsettled") == expected


def test_the_heartbeat_brings_segments_up_to_date_when_a_case_was_opened(runtime: Runtime) -> None:
    refresh_all(runtime)
    complain(runtime, ALICE, MINUTE)
    heart = Heart(runtime)
    heart.beat(NOW + 2 * MINUTE)
    heart.close()
    assert who(runtime, "unsettled") == [ALICE]
    moved = [heart.tally.counts[f"people who {what} a segment"] for what in ("entered", "left")]
    assert moved == [1, 1]
