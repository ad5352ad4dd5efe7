"""The heartbeat on a fast clock: how long it beats, how it is handed over, and what it does when a part fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from core.claims import lease, take_lease
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from journeys.heartbeat import Heart, Tally, ask_for_end, is_beating, keep_beating, withdraw_question
from journeys.heartbeat_report import as_markdown

WORKSPACE = {"workspace": "shop", "timezone": "Europe/Berlin", "currency": "EUR"}
LIFE = timedelta(minutes=10)


@pytest.fixture
def runtime(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=clock.now())
    yield Runtime(Settings(project=str(tmp_path)), database, vault, clock)
    vault.close()


class Seconds:
    """Sleeping moves the clock, and nothing else does."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.slept = 0

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.clock.advance(timedelta(seconds=max(seconds, 0.001)))


def beat(runtime: Runtime, seconds: Seconds, life: timedelta = LIFE, until: int | None = None) -> Tally:
    return keep_beating(
        runtime, life=life, is_stopped=lambda: until is not None and seconds.slept >= until, sleep=seconds.sleep
    )


def test_it_beats_once_a_second_until_its_life_is_over_when_nothing_happens(
    runtime: Runtime, clock: ManualClock
) -> None:
    seconds = Seconds(clock)
    tally = beat(runtime, seconds)
    assert seconds.slept == LIFE.total_seconds()
    assert (tally.is_idle, tally.faults, +tally.counts) == (False, {}, {})
    with runtime.database.read() as connection:
        assert not is_beating(connection, clock.now())


def test_it_ends_after_the_beat_when_it_is_stopped(runtime: Runtime, clock: ManualClock) -> None:
    seconds = Seconds(clock)
    assert not beat(runtime, seconds, until=3).is_idle
    assert seconds.slept == 3


def test_it_ends_when_a_successor_asks_and_goes_on_without_it_when_the_question_is_withdrawn(
    runtime: Runtime, clock: ManualClock
) -> None:
    with runtime.database.transaction() as connection:
        take_lease(connection, "heartbeat", "before", clock.now(), timedelta(seconds=4))
    seconds = Seconds(clock)
    assert not beat(runtime, seconds, until=9).is_idle  # waited for the one before, then beat
    with runtime.database.transaction() as connection:
        ask_for_end(connection, "successor", clock.now())
    assert beat(runtime, Seconds(clock)).is_idle  # somebody asks already
    with runtime.database.transaction() as connection:
        withdraw_question(connection, "successor", clock.now())
    assert not beat(runtime, Seconds(clock), until=2).is_idle


def test_beats_never_pause_when_one_process_hands_over_to_the_next(runtime: Runtime, clock: ManualClock) -> None:
    """Two real threads: the second asks while the first beats."""
    over = threading.Event()
    tallies: dict[str, Tally] = {}

    def pause(_seconds: float) -> None:
        over.wait(0.01)

    def run(name: str) -> None:
        tallies[name] = keep_beating(runtime, life=LIFE, is_stopped=over.is_set, sleep=pause)

    first, second = (threading.Thread(target=run, args=(name,)) for name in ("first", "second"))
    first.start()
    before = wait_for_holder(runtime, other_than=None)
    second.start()
    wait_for_holder(runtime, other_than=before)
    first.join(20)
    assert not tallies["first"].is_idle
    over.set()
    second.join(20)
    assert not tallies["second"].is_idle


def wait_for_holder(runtime: Runtime, other_than: str | None) -> str:
    held = select(lease.c.holder).where(lease.c.name == "heartbeat", lease.c.expires_at > runtime.clock.now())
    for _ in range(2_000):
        with runtime.database.read() as connection:
            holder: str | None = connection.scalar(held)
        if holder is not None and holder != other_than:
            return holder
        time.sleep(0.01)
    raise AssertionError("nobody beats")


def test_the_other_parts_go_on_and_the_cause_is_kept_when_one_part_fails(runtime: Runtime, clock: ManualClock) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(text("DROP TABLE conversion"))
        connection.execute(text("DROP TABLE engagement_event"))
    heart = Heart(runtime)
    heart.beat(clock.now())  # memberships are asked for the first time
    assert heart.beat(clock.now()) is False
    heart.close()
    assert list(heart.tally.faults) == ["opens and clicks"]
    assert "engagement_event" in heart.tally.faults["opens and clicks"]
    assert "**Opens and clicks stood still for a while.**" in as_markdown(
        Tally(faults=heart.tally.faults, is_idle=False)
    )


def test_the_run_page_tells_what_happened_when_there_was_something() -> None:
    tally = Tally(is_idle=False)
    tally.counts.update({"messages sent": 1200, "people who entered a journey": 3, "orders credited to a message": 0})
    assert as_markdown(tally).splitlines() == [
        "| What happened | |",
        "| --- | ---: |",
        "| messages sent | 1,200 |",
        "| people who entered a journey | 3 |",
    ]
