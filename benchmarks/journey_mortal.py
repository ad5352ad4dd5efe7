"""An engine that dies: workers of journeys and delivery as forked processes that share a virtual clock.

A worker is killed by `kill -9` from within at one of its edges (before and after each commit, before and after each
message that the provider takes), or from without at any instant. What the provider has taken stands in a file of its
own, because a provider does not die with us. Nothing here is part of what is shipped: the edges are put around
`Database.transaction` and the transport of the dying process.
"""

from __future__ import annotations

import os
import signal
import struct
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from mmap import mmap
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, select

from core.clock import from_micros, to_micros
from core.database import Database
from core.key_store import open_key_store
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from delivery.envelope import Composed, Envelope, MessageRow
from delivery.facts import Gathered
from delivery.housekeeping import has_due, settle_broken_off
from delivery.ledger import STUCK
from delivery.providers.transport import Accepted
from delivery.tables import MessageKind, MessageStatus, message
from delivery.worker import DeliveryWorker
from journeys.tick import tick

NEVER = 0
TAKEN = "taken"  # the file of the provider: a message id a line
WORKERS = 2
_REST_S = 0.002
_NOW, _GENERATION, _EDGES, _DONE, _IDLE = 0, 1, 2, 3, 3 + WORKERS
_FIELDS = _IDLE + 2 * WORKERS
_KEY = WorkspaceKey((bytes(range(32)),))


class Board:
    """What the processes of one story share: the time, and who has found nothing to do.

    A worker is idle when a round has found nothing that began after the last round in which anybody did something.
    """

    def __init__(self, start: datetime) -> None:
        self._cells = mmap(-1, 8 * _FIELDS)
        self._set(_NOW, to_micros(start))

    def now(self) -> datetime:
        return from_micros(self._get(_NOW))

    def move_to(self, instant: datetime) -> None:
        self._set(_NOW, to_micros(instant))
        self.stir()

    def stir(self) -> None:
        """Something has changed from without: everybody is to look again."""
        self._set(_GENERATION, self._get(_GENERATION) + 1)

    @property
    def edges(self) -> int:
        """How many edges all workers have come to."""
        return self._get(_EDGES)

    def note_edge(self) -> None:
        self._set(_EDGES, self.edges + 1)

    def state(self) -> tuple[int, int]:
        return self._get(_GENERATION), sum(self._get(_DONE + number) for number in range(WORKERS))

    def note_round(self, number: int, before: tuple[int, int], *, did_something: bool) -> None:
        if did_something:
            self._set(_DONE + number, self._get(_DONE + number) + 1)
        else:
            self._set(_IDLE + 2 * number, before[0])
            self._set(_IDLE + 2 * number + 1, before[1])

    def is_idle(self, numbers: Sequence[int]) -> bool:
        now = self.state()
        return all((self._get(_IDLE + 2 * one), self._get(_IDLE + 2 * one + 1)) == now for one in numbers)

    def _get(self, place: int) -> int:
        value: int = struct.unpack_from("q", self._cells, 8 * place)[0]
        return value

    def _set(self, place: int, value: int) -> None:
        struct.pack_into("q", self._cells, 8 * place, value)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one story is played."""

    folder: Path
    url: str
    board: Board
    batch: int  # people in a transaction

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """Everything is closed behind it: a database that is open must not go through a fork."""
        keys = open_key_store(f"sqlite:///{self.folder / 'keys.db'}")
        with closing(Vault(_KEY, keys)) as vault, closing(Database(self.url)) as database:
            settings = Settings(project=str(self.folder), workers="1", log_level="ERROR")
            yield Runtime(settings, database, vault, self.board)

    def taken(self) -> list[str]:
        """The ids of the messages that the provider has taken, as often as it did."""
        file = self.folder / TAKEN
        return file.read_text().split() if file.exists() else []


def fork_worker(stage: Stage, number: int, fatal: int = NEVER) -> int:
    """Start worker `number`, which dies at its edge `fatal` (from 1); answers its process id."""
    child = os.fork()
    if child:
        return child
    try:
        _live(stage, number, _Edges(stage.board, fatal))
    except BaseException:  # noqa: BLE001 - a forked process must never run on into its parent's code
        traceback.print_exc()
    os._exit(1)


def name_of(process_id: int) -> str:
    """Under which name a worker claims."""
    return f"mortal-{process_id}"


@dataclass
class _Edges:
    """Counts the places at which a process can die between two effects, and dies at one of them."""

    board: Board
    fatal: int
    passed: Iterator[int] = field(default_factory=lambda: count(1))
    lock: Lock = field(default_factory=Lock)

    def __call__(self) -> None:
        with self.lock:
            self.board.note_edge()
            if next(self.passed) == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def _live(stage: Stage, number: int, edge: Callable[[], None]) -> None:
    _put_edges_around_commits(edge)
    parent = os.getppid()
    with stage.runtime() as runtime:
        board, provider = stage.board, _Provider(stage.folder / TAKEN, edge)
        with closing(DeliveryWorker(runtime, {"email": provider}, _compose, name=name_of(os.getpid()))) as worker:
            while True:
                before, now = board.state(), board.now()
                done = tick(runtime, now, batch=stage.batch)
                claimed = worker.deliver(now).claimed if _is_due(runtime, now) else 0
                settled = _settle(runtime, now)
                board.note_round(number, before, did_something=bool(not done.is_idle or claimed or settled))
                while board.state() == before:  # nobody has done anything since
                    time.sleep(_REST_S)
                    if os.getppid() != parent:
                        return


def _is_due(runtime: Runtime, now: datetime) -> bool:
    with runtime.database.read() as connection:
        return has_due(connection, now)


def _settle(runtime: Runtime, now: datetime) -> int:
    """As the heartbeat does, but only where something is broken off: an idle round has no edges."""
    stuck = select(message.c.id).where(message.c.status == MessageStatus.SENDING, message.c.sending_at <= now - STUCK)
    with runtime.database.read() as connection:
        if connection.execute(stuck).first() is None:
            return 0
    with runtime.database.transaction() as connection:
        return 1 + settle_broken_off(connection, runtime.vault, now)


def _put_edges_around_commits(edge: Callable[[], None]) -> None:
    whole = Database.transaction

    @contextmanager
    def transaction(self: Database) -> Iterator[Connection]:
        with whole(self) as connection:
            yield connection
            edge()
        edge()

    vars_of: Any = Database
    vars_of.transaction = transaction


@dataclass(slots=True)
class _Provider:
    """Takes every message."""

    file: Path
    edge: Callable[[], None]
    name: str = "provider"
    channel: str = "email"

    def send(self, envelope: Envelope) -> Accepted:
        self.edge()
        with self.file.open("a") as file:
            file.write(f"{envelope.message_id}\n")
        self.edge()
        return Accepted(provider_id_of(envelope.message_id))

    def read_rate(self) -> float | None:
        return None


def provider_id_of(message_id: str) -> str:
    return f"provider-{message_id}"


def _compose(rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> list[Composed]:
    composed: list[Composed] = []
    for row in rows:
        address = gathered[row.id].address
        assert address is not None
        composed.append(
            Envelope(
                row.id, row.channel, MessageKind(row.kind), address.value, address.lookup, "shop@shop.example", "."
            )
        )
    return composed
