"""One tick: everything that is due now, in the order of docs/journeys.md.

Events, with the entries, goals, exits and waits that follow from each; then timers; sending is delivery's. Each batch
is a transaction of its own: killed between two, the next tick goes on where the last one stopped, and no one moves
twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, text

from core.errors import NotFoundError
from core.runtime import Runtime
from delivery.pauses import EVERYTHING, find_pauses
from journeys.advancing import Moved
from journeys.answers import Scene
from journeys.backfill import backfill, find_backfills
from journeys.catalogue import get_catalogue
from journeys.changes import has_changes, look_at_changes
from journeys.due import fire_due, has_due
from journeys.entries.stage import enter_due, has_entries
from journeys.holds import ask_again, has_ended_holds
from journeys.ingest import BATCH, has_news, ingest
from journeys.lifecycle import has_to_sync, sync_pauses

TIMERS = 2_000  # of one transaction: enough that what a statement costs once is nothing, and over in a blink
_BATCHES = 10  # of one stage: then the other stages, and delivery, have their turn
LOCK = 7_204_412  # any number, so long as every process uses the same and nothing else does


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one tick did: events read, people who entered, moves made, messages queued, runs ended.

    `has_more`: a stage made room for the others before it was through.
    """

    events: int = 0
    entered: int = 0
    advanced: int = 0
    messages: int = 0
    ended: int = 0
    timers: int = 0
    has_more: bool = False

    def __add__(self, other: TickResult) -> TickResult:
        return TickResult(
            self.events + other.events,
            self.entered + other.entered,
            self.advanced + other.advanced,
            self.messages + other.messages,
            self.ended + other.ended,
            self.timers + other.timers,
            self.has_more or other.has_more,
        )

    @property
    def is_idle(self) -> bool:
        return self == TickResult()


@dataclass(frozen=True, slots=True)
class _Work:
    has_news: bool = False
    has_changes: bool = False
    has_backfills: bool = False
    has_entries: bool = False
    has_to_sync: bool = False
    has_due: bool = False
    has_ended_holds: bool = False


def tick(runtime: Runtime, now: datetime, *, batch: int = BATCH) -> TickResult:
    """Do what is due at `now`, or a good piece of it: call it again until it is idle. With nothing to do it costs a few
    small reads. Safe to run twice, and to be killed.
    """
    with runtime.database.read() as connection:
        work = _look(connection, runtime, now)
    total = TickResult()
    if work.has_to_sync:
        total += _all(runtime, now, _sync)
    if work.has_news:
        total += _all(runtime, now, lambda connection, scene: _ingest(connection, scene, batch))
    if work.has_backfills:
        total += _all(runtime, now, _backfill)
    if work.has_entries or work.has_news:
        total += _all(runtime, now, _enter)
    if work.has_changes:
        total += _one(runtime, now, lambda connection, scene: _moved(look_at_changes(connection, scene)))
    if work.has_due or work.has_news or work.has_changes:
        total += _all(runtime, now, lambda connection, scene: _fire(connection, scene, min(batch * 4, TIMERS)))
    if work.has_ended_holds or work.has_changes:
        total += _all(runtime, now, _ask_again)
    return total


def tick_until_idle(runtime: Runtime, now: datetime) -> TickResult:
    """Everything that is due at `now`, also what follows from it."""
    total = TickResult()
    while not (done := tick(runtime, now)).is_idle:
        total += replace(done, has_more=False)
    return total


def _look(connection: Connection, runtime: Runtime, now: datetime) -> _Work:
    if EVERYTHING in find_pauses(connection, now):
        return _Work()
    try:
        scene = Scene(runtime.vault, get_catalogue(connection), now)
    except NotFoundError:  # nothing was applied yet
        return _Work()
    if not scene.catalogue.journeys:
        return _Work()
    return _Work(
        has_news=has_news(connection),
        has_changes=has_changes(connection),
        has_backfills=any(True for _ in find_backfills(connection, scene)),
        has_entries=has_entries(connection, scene),
        has_to_sync=has_to_sync(connection, scene),
        has_due=has_due(connection, scene),
        has_ended_holds=has_ended_holds(connection, scene),
    )


def _one(runtime: Runtime, now: datetime, work: Callable[[Connection, Scene], TickResult]) -> TickResult:
    """`work` in a transaction of its own; on PostgreSQL a second process waits, on SQLite writers queue anyway."""
    with runtime.database.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
        return work(connection, Scene(runtime.vault, get_catalogue(connection), now))


def _all(runtime: Runtime, now: datetime, work: Callable[[Connection, Scene], tuple[TickResult, bool]]) -> TickResult:
    """`work` again and again, a transaction each, until it says that it is through, or it was the others' turn."""
    total = TickResult()
    through: list[bool] = []

    def once(connection: Connection, scene: Scene) -> TickResult:
        result, is_through = work(connection, scene)
        through.append(is_through)
        return result

    while not (through and through[-1]):
        if len(through) == _BATCHES:
            return total + TickResult(has_more=True)
        total += _one(runtime, now, once)
    return total


def _sync(connection: Connection, scene: Scene) -> tuple[TickResult, bool]:
    moved, is_through = sync_pauses(connection, scene)
    return _moved(moved), is_through


def _ingest(connection: Connection, scene: Scene, batch: int) -> tuple[TickResult, bool]:
    done = ingest(connection, scene, batch)
    return _moved(done.moved) + TickResult(events=done.events, entered=done.entered), done.is_all


def _backfill(connection: Connection, scene: Scene) -> tuple[TickResult, bool]:
    for admitting, entry, last in find_backfills(connection, scene):
        done = backfill(connection, scene, admitting, entry, last)
        return _moved(done.moved) + TickResult(entered=done.entered), False
    return TickResult(), True


def _enter(connection: Connection, scene: Scene) -> tuple[TickResult, bool]:
    done = enter_due(connection, scene)
    return _moved(done.moved) + TickResult(entered=done.entered), done.is_all


def _fire(connection: Connection, scene: Scene, batch: int) -> tuple[TickResult, bool]:
    count, moved = fire_due(connection, scene, batch)
    return _moved(moved) + TickResult(timers=count), count == 0


def _ask_again(connection: Connection, scene: Scene) -> tuple[TickResult, bool]:
    moved, is_through = ask_again(connection, scene)
    return _moved(moved), is_through


def _moved(moved: Moved) -> TickResult:
    return TickResult(advanced=moved.advanced, messages=moved.messages, ended=moved.ended)
