"""A day and a half in a shop, on a virtual clock, lived by an engine that dies: a journey of six steps and four people.

The waits behind the messages end by the clock on the wall: what a dead worker held is late, and nothing else is.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, select

from benchmarks.journey_mortal import NEVER, Board, Stage, fork_worker, name_of, provider_id_of
from core.clock import ManualClock
from core.cursors import get_position
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.tables import customer_event
from customers.workspace import get_workspace
from delivery.callbacks.ses_events import ProviderReport
from delivery.intake import Callback, store_callbacks
from delivery.ledger import STUCK
from delivery.status import ReportKind
from delivery.tables import MessageStatus, message
from journeys.ingest import CURSOR
from journeys.tables import enrolment, journal, timer
from tests.journeys.town import Town, at

JOURNEY = """
journey: story
enter: {event: signed_up, key: source}
goal: {event: visited, within: 3d}
exit:
  - {event: cart_emptied}
defaults: {topic: marketing}
steps:
  - {id: hello, email: hello}
  - {id: morning, wait_until: {time: "10:00"}}
  - id: ab
    seed: spring  # persons 1 and 4 are warm
    split:
      warm: {then: [{id: warm, email: warm}, {id: noon, wait_until: {time: "12:00"}}]}
      cold: {then: [{set: {tier: patient}}, {id: pause, wait: 2h}]}
  - id: seen
    wait_for: [{event: visited}, {message: hello, was: clicked}]
    timeout: 1d
    then: [{emit: profile_completed}]
  - {set: {visits: 1}}
  - {id: bye, email: bye}
"""
START, END = at("2026-06-01T08:00"), at("2026-06-03T00:00")
PEOPLE = tuple(f"person{number}" for number in range(1, 5))
_BASE, _DATABASE = "base", "town.db"
_PATIENCE_S = 120.0
_POLL_S = 0.002

Happening = Callable[[Connection, Runtime, datetime], None]


def _log(name: str, *people: int, **properties: Any) -> Happening:
    """An event of these people (profile ids from 1)."""

    def happen(connection: Connection, runtime: Runtime, now: datetime) -> None:
        events = [NewEvent(name, now, "crash", f"{name}:{one}", one, properties) for one in people]
        append_events(connection, runtime.vault, get_workspace(connection), events, now)

    return happen


def _click(profile_id: int) -> Happening:
    def happen(connection: Connection, runtime: Runtime, now: datetime) -> None:
        mine = select(message).where(message.c.profile_id == profile_id, message.c.step == "hello")
        row = connection.execute(mine).one()
        origin = {"origin_kind": row.origin_kind, "origin": row.origin, "origin_id": row.origin_id, "step": row.step}
        _log("link_clicked", profile_id, message_id=row.id, link_tag="shoes", is_human=True, **origin)(
            connection, runtime, now
        )

    return happen


HAPPENINGS: Mapping[datetime, Happening] = {
    START: _log("signed_up", *range(1, len(PEOPLE) + 1), source="site"),
    at("2026-06-01T09:00"): _log("cart_emptied", 2),
    at("2026-06-01T12:30"): _log("visited", 3),
    at("2026-06-01T14:15"): _click(4),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one story is disturbed: at which edge each worker dies, and pauses (seconds) before kills from without."""

    name: str
    fatal: tuple[int, ...] = (NEVER,)
    pauses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Lived:
    """What one person went through: the journal, how the run ended, and each message's status and end."""

    entries: list[tuple[int, datetime, str, dict[str, Any]]]
    end: tuple[datetime | None, str | None]
    messages: dict[str, tuple[str, datetime | None]]

    def is_unknown(self, message_id: str) -> bool:
        return self.messages[message_id][0] == MessageStatus.UNKNOWN


@dataclass(slots=True)
class Story:
    lives: dict[str, Lived] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)  # ids of messages that a worker held when it died
    taken: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    edges: int = 0


@dataclass(frozen=True, slots=True)
class Theatre:
    """Where stories are played, each on a stage of its own, with the same people, journey and keys.

    `url` is that of an empty database with our schema, which is filled on PostgreSQL and copied on SQLite.
    """

    folder: Path
    url: str
    batch: int = 2

    def build(self) -> None:
        """Fill the database that every stage is a copy of."""
        base = self.folder / _BASE
        base.mkdir()
        if self.is_sqlite:
            shutil.copyfile(self.url.removeprefix("sqlite:///"), base / _DATABASE)
        with Stage(base, self._url_in(base), Board(START), self.batch).runtime() as runtime:
            runtime.vault.create_store()
            clock = ManualClock(START)
            with closing(Town(replace(runtime, clock=clock), clock)) as town:
                for name in PEOPLE:
                    town.person(name)
                town.journey(JOURNEY)

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite:///")

    def stage(self, name: str) -> Stage:
        own = self.folder / name
        shutil.copytree(self.folder / _BASE, own)
        url = self._url_in(own) if self.is_sqlite else _copy(self.url, name)
        return Stage(own, url, Board(START), self.batch)

    def _url_in(self, folder: Path) -> str:
        return f"sqlite:///{folder / _DATABASE}" if self.is_sqlite else self.url


def _copy(url: str, name: str) -> str:
    """A copy of a PostgreSQL database beside it; it goes with the server, because dropping one takes a second."""
    import psycopg

    server, _, template = url.rpartition("/")
    with psycopg.connect(f"{server}/template1", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{template}_{name}" TEMPLATE "{template}"')
    return f"{server}/{template}_{name}"


def play(stage: Stage, plan: Plan) -> Story:
    """Play the story to its end; the successor of a worker that has died at its edge does not die by itself."""
    story, board, chance = Story(), stage.board, Random(plan.name)
    kill_after = iter(plan.pauses)
    workers = {fork_worker(stage, number, edge): number for number, edge in enumerate(plan.fatal)}
    deadline, next_kill = time.monotonic() + _PATIENCE_S, _next(kill_after)
    pending, reported = dict(HAPPENINGS), set[str]()
    try:
        while time.monotonic() < deadline:
            if time.monotonic() >= next_kill and board.now() < END:
                os.kill(chance.choice(list(workers)), signal.SIGKILL)
                next_kill = _next(kill_after)
            if dead := [one for one in workers if os.waitpid(one, os.WNOHANG)[0]]:
                for one in dead:
                    number = workers.pop(one)
                    story.kills += 1
                    _bury(stage, one, story)
                    workers[fork_worker(stage, number)] = number
                board.stir()
            elif board.is_idle(range(len(plan.fatal))):
                if not _go_on(stage, pending, reported):
                    break
            else:
                time.sleep(_POLL_S)
        else:
            raise RuntimeError(f"the story stood still at {board.now()}")
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
    return _read(stage, story)


def _next(kill_after: Iterator[float]) -> float:
    return time.monotonic() + next(kill_after, float("inf"))


def _bury(stage: Stage, dead: int, story: Story) -> None:
    mine = message.c.status.in_([MessageStatus.CLAIMED, MessageStatus.SENDING])
    with stage.runtime() as runtime, runtime.database.read() as connection:
        story.held |= set(connection.scalars(select(message.c.id).where(mine, message.c.claimed_by == name_of(dead))))


def _go_on(stage: Stage, pending: dict[datetime, Happening], reported: set[str]) -> bool:
    """Nobody has anything to do: let the provider report, then what is planned happen, then time pass; else False."""
    board = stage.board
    with stage.runtime() as runtime:
        now = board.now()
        if _report(stage, runtime, now, reported):
            board.stir()
            return True
        with runtime.database.read() as connection:
            if not _is_read(connection):
                board.stir()
                return True
            due = [*_due(connection, now), *pending]
        following = min((one for one in due if one <= END), default=None)
        if following is None:
            return False
    board.move_to(following)
    if following in pending:
        with stage.runtime() as runtime, runtime.database.transaction() as connection:
            pending.pop(following)(connection, runtime, following)
        board.stir()
    return True


def _report(stage: Stage, runtime: Runtime, now: datetime, reported: set[str]) -> bool:
    """Take in what the provider says of the messages that it has taken; whether that was anything new."""
    fresh = set(stage.taken()) - reported
    reported |= fresh
    callbacks = [
        Callback(f"sent:{one}", ProviderReport(ReportKind.SENT, one, provider_id_of(one), now), "{}", now)
        for one in sorted(fresh)
    ]
    if callbacks:
        with runtime.database.transaction() as connection:
            store_callbacks(runtime)(connection, callbacks)
    return bool(callbacks)


def _is_read(connection: Connection) -> bool:
    """Whether journeys have come to the end of the log.

    On PostgreSQL they read no further than the oldest transaction that runs on the server: one of another story, or of
    a dead worker whose end the server has not noticed, makes them find nothing for a moment.
    """
    event = customer_event.c
    newest = select(event.transaction_no, event.id).order_by(event.transaction_no.desc(), event.id.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    position = get_position(connection, CURSOR)
    return row is None or tuple(row) <= (position.transaction_no, position.row_id)


def _due(connection: Connection, now: datetime) -> Iterator[datetime]:
    def first(instant: Column[Any], *where: ColumnElement[bool]) -> datetime | None:
        found: datetime | None = connection.scalar(select(func.min(instant)).where(*where))
        return found

    status = message.c.status
    given_up = first(message.c.sending_at, status == MessageStatus.SENDING)
    instants = (
        first(timer.c.due_at, timer.c.due_at > now),
        first(message.c.due_at, status == MessageStatus.DUE, message.c.due_at > now),
        first(message.c.lease_until, status == MessageStatus.CLAIMED),
        given_up + STUCK if given_up else None,
    )
    yield from (one for one in instants if one is not None)


def _read(stage: Stage, story: Story) -> Story:
    with stage.runtime() as runtime, runtime.database.read() as connection:
        for run in connection.execute(select(enrolment)):
            entries = connection.execute(
                select(journal).where(journal.c.enrolment_id == run.id).order_by(journal.c.seq)
            )
            sent = connection.execute(select(message).where(message.c.origin_id == run.uid))
            story.lives[run.uid] = Lived(
                [(one.seq, one.at, one.kind, {**one.data, "event": None}) for one in entries],
                (run.ended_at, run.end_reason),
                {one.id: (one.status, one.ended_at) for one in sent},
            )
    story.taken = Counter(stage.taken())
    story.edges = stage.board.edges
    return story
