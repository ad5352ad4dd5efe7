"""Killed before a batch was committed, or run twice: the journal is what it would have been."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

import journeys.tick
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
