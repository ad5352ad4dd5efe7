"""Killed by `kill -9` or before a batch was committed, or run twice: the journal is what it would have been."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

import journeys.tick
from benchmarks.journey_crash import find_differing
from benchmarks.journey_story import Lived, Story
from core.clock import ManualClock
from core.database import Database
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.tables import enrolment, journal
from journeys.tick import TickResult
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town, at

JOURNEY = """
journey: story
enter: {event: signed_up, key: cart_id}
goal: {event: visited, within: 3d}
defaults: {topic: marketing}
steps:
  - {id: ab, split: {a: {then: [{id: hello, email: hello}]}, b: {then: [{emit: nudged}]}}}
  - {id: seen, wait_for: [{event: visited}, {message: hello, was: clicked}], timeout: 1h, then: [{exit: seen}]}
  - {set: {tier: patient}}
  - {id: bye, email: bye}
"""
ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"person{number}" for number in range(5)]


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


def live_through(town: Town) -> list[Any]:
    """The whole story in small batches; whenever the engine is killed, it is started again."""
    for name in NAMES:
        town.person(name)
    town.journey(JOURNEY)
    town.log_many([("signed_up", name, {"cart_id": f"c-{name}"}) for name in NAMES])
    town.plan("2026-06-01T08:30", lambda: town.log_many([("visited", name, {}) for name in NAMES[:2]]))
    town.batch = 2
    while town.clock.now() < at("2026-06-01T12:00"):
        try:
            town.run_until("2026-06-01T12:00")
        except KilledError:
            continue
    return read_journal(town)


def read_journal(town: Town) -> list[Any]:
    """Everything but the numbers of rows, which differ where a killed transaction had taken some."""
    query = select(journal, enrolment.c.uid).join(enrolment, enrolment.c.id == journal.c.enrolment_id)
    with town.runtime.database.read() as connection:
        rows = connection.execute(query.order_by(enrolment.c.uid, journal.c.seq)).all()
    return [(row.uid, row.seq, row.at, row.kind, {**row.data, "event": None}) for row in rows]


@pytest.fixture
def undisturbed(sqlite_template: Path, tmp_path: Path, vault: Vault) -> list[Any]:
    """The journal of a town in which nothing went wrong."""
    shutil.copyfile(sqlite_template, tmp_path / "undisturbed.db")
    database = Database(f"sqlite:///{tmp_path}/undisturbed.db")
    clock = ManualClock(at("2026-06-01T08:00"))
    town = Town(Runtime(Settings(project=str(tmp_path), workers="1"), database, vault, clock), clock)
    entries = live_through(town)
    assert {run.end_reason for run in town.enrolments()} == {"seen", "completed"}
    town.close()
    database.close()
    return entries


@pytest.mark.parametrize("every", [2, 3])
def test_the_journal_is_the_same_when_the_engine_is_killed_again_and_again_before_it_commits(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch, undisturbed: list[Any], every: int
) -> None:
    transactions = 0
    commit = journeys.tick._one

    def dying(runtime: Runtime, now: Any, work: Callable[[Connection, Scene], TickResult]) -> TickResult:
        nonlocal transactions
        transactions += 1
        if transactions % every:
            return commit(runtime, now, work)
        with runtime.database.transaction() as connection:
            work(connection, Scene(runtime.vault, get_catalogue(connection), now))
            raise KilledError

    monkeypatch.setattr(journeys.tick, "_one", dying)
    town = make_town()
    assert live_through(town) == undisturbed
    assert transactions > 10
    assert len({(one.person, one.step) for one in town.sent}) == len(town.sent)


def test_nothing_happens_when_everything_that_was_read_is_read_again(make_town: MakeTown) -> None:
    town = make_town()
    before = live_through(town)
    with town.runtime.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE cursor_position SET transaction_no = 0, row_id = 0")
    town.work()
    assert read_journal(town) == before
    assert len(town.enrolments()) == len(NAMES)


def test_everybody_has_the_journal_of_a_calm_run_when_processes_are_killed(database_url: str) -> None:
    words = [sys.executable, "-m", "benchmarks.journey_crash", "--short", "--url", database_url]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, timeout=300, check=True)
    figures = json.loads(done.stdout)
    assert figures["kills"] >= 8
    assert (figures["journals_differing"], figures["doubled"]) == (0, 0)


SENT = at("2026-06-01T08:00")
LATE = SENT + timedelta(minutes=10)
CALM = Lived(
    [
        (1, SENT, "queued", {"step": "hello", "message": "m"}),
        (2, SENT, "step", {"step": "hello", "branch": ["sent"]}),
        (3, SENT + timedelta(hours=2), "ended", {"reason": "completed"}),
    ],
    (SENT + timedelta(hours=2), "completed"),
    {"m": ("sent", SENT)},
)
UNKNOWN = replace(
    CALM,
    entries=[CALM.entries[0], (2, LATE, "step", {"step": "hello", "branch": ["unknown"]}), CALM.entries[2]],
    messages={"m": ("unknown", LATE)},
)


@pytest.mark.parametrize(
    ("lived", "held", "is_same"),
    [
        (CALM, set(), True),
        (UNKNOWN, {"m"}, True),
        (UNKNOWN, set(), False),  # nobody died with it in hand
        (replace(UNKNOWN, messages={"m": ("unknown", LATE + timedelta(hours=1))}), {"m"}, False),
        (replace(UNKNOWN, entries=UNKNOWN.entries[:2]), {"m"}, False),
        (replace(CALM, entries=[*CALM.entries[:2], (3, LATE, "ended", {"reason": "completed"})]), {"m"}, False),
        (replace(CALM, messages={**CALM.messages, "again": ("sent", SENT)}), {"m"}, False),
    ],
)
def test_a_journal_counts_as_differing_when_more_than_the_dead_workers_message_is_late(
    lived: Lived, held: set[str], *, is_same: bool
) -> None:
    assert find_differing(Story({"run": CALM}), Story({"run": lived}, held)) == (set() if is_same else {"run"})


def test_a_journal_counts_as_differing_when_a_run_is_missing_or_new() -> None:
    assert find_differing(Story({"one": CALM}), Story({"two": CALM})) == {"one", "two"}
