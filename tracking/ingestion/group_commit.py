"""Group commit: requests put records into a bounded queue, one thread commits them together, then all are answered.

While the disk writes one batch the next one fills, so that a durable answer costs a fraction of a commit. A record that
cannot be stored fails alone; a database that fails, fails everybody in the batch, or, for requests that must be
answered anyway, keeps their records in memory, within bounds, to be tried again. What a record is, it does not know.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.database import Database
from core.errors import EnvironmentFaultError, PermanentError, TransientError

log = logging.getLogger(__name__)

R = TypeVar("R")

CAPACITY = 10_000
BATCH = 500
_RETRY_S = 1.0
_PATIENCE_S = 1.5
# The database's own trouble, a missing table included; anything else is a record's.
STORE_FAULTS = (
    OperationalError,
    InterfaceError,
    InternalError,
    ProgrammingError,
    PoolTimeoutError,
    EnvironmentFaultError,
    OSError,
)


class QueueFullError(TransientError):
    """More records wait than the queue holds: ask again in a moment."""


class StoreFailedError(TransientError):
    """The database did not take the batch; nothing of it was stored."""


@dataclass(slots=True)
class Counts:
    """Since the start: records stored, refused, kept for later, and lost for lack of room."""

    stored: int = 0
    refused: int = 0
    spooled: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[R]):
    record: R
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    must_be_kept: bool


class Ingestion(Generic[R]):
    """One writer for one process: `start` before the first request, `stop` after the last.

    `store(connection, records)` writes records in their order, without committing, and answers a result for each.
    """

    def __init__(
        self,
        database: Database,
        store: Callable[[Connection, Sequence[R]], Sequence[Any]],
        *,
        capacity: int = CAPACITY,
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._store = store
        self._capacity = capacity
        self._batch = batch
        self._queue: deque[_Waiting[R]] = deque()
        self._spool: deque[R] = deque()
        self._wake = threading.Condition()
        self._stopping = True
        self._thread: threading.Thread | None = None
        self.counts = Counts()

    def start(self) -> None:
        if self._thread is not None:
            raise RuntimeError("the ingestion runs already")
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ingestion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what waits and end; what a failing database would not take is lost, and counted."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._spool:
            self.counts.lost += len(self._spool)
            log.error("%d records were lost: the database would not take them before the end", len(self._spool))
            self._spool.clear()

    async def submit(self, record: R) -> Any:
        """What the store answered for `record`, once it is durable.

        Raises QueueFullError or StoreFailedError (ask again) or PermanentError (this record will never be stored).
        """
        return await self._enqueue(record, must_be_kept=False)

    async def submit_or_spool(self, record: R) -> None:
        """Come back when `record` is durable, or when that takes too long for a reader who waits for an answer.

        While the database fails the record is kept in memory and tried again.
        """
        try:
            waiting = self._enqueue(record, must_be_kept=True)
        except QueueFullError:
            self._keep([record])
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await waiting
        except (TimeoutError, PermanentError):
            return  # it waits on in the queue; or it is counted as refused

    def _enqueue(self, record: R, *, must_be_kept: bool) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(record, loop.create_future(), loop, must_be_kept)
        with self._wake:
            if self._stopping or len(self._queue) >= self._capacity:
                raise QueueFullError("too much is waiting to be stored: send it again in a moment.")
            self._queue.append(waiting)
            if len(self._queue) == 1:
                self._wake.notify()
        return waiting.answer

    # -- the writer's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    if not self._wake.wait(_RETRY_S if self._spool else None):
                        break
                batch = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
                stopping = self._stopping
            if batch:
                self._write(batch)
            elif self._spool:
                self._retry_spool()
            if stopping and not batch:
                while self._spool and self._retry_spool():
                    pass
                return

    def _write(self, batch: Sequence[_Waiting[R]]) -> None:
        try:
            results = self._commit([waiting.record for waiting in batch])
        except StoreFailedError as failed:
            self._keep([waiting.record for waiting in batch if waiting.must_be_kept])
            _answer(batch, [None if waiting.must_be_kept else failed for waiting in batch])
            return
        _answer(batch, results)
        if self._spool:
            self._retry_spool()

    def _retry_spool(self) -> bool:
        """Try a batch of what was kept; False while the database still fails."""
        records = [self._spool.popleft() for _ in range(min(self._batch, len(self._spool)))]
        try:
            self._commit(records)
        except StoreFailedError:
            self._spool.extendleft(reversed(records))
            return False
        return True

    def _commit(self, records: Sequence[R]) -> list[Any]:
        """Store the records in one transaction; where one is to blame, all again with each on its own.

        Raises StoreFailedError and nothing else, because the next batch must find a writer.
        """
        try:
            with self._database.transaction() as connection:
                results = list(self._store(connection, records))
        except STORE_FAULTS as error:
            raise _failed(error, records) from error
        except Exception as error:  # noqa: BLE001 - one record is to blame and must not take the others down
            log.warning("a batch holds a record that cannot be stored: %s", type(error).__name__)
            results = self._commit_each(records)
        refused_count = sum(isinstance(result, PermanentError) for result in results)
        self.counts.stored += len(records) - refused_count
        self.counts.refused += refused_count
        return results

    def _commit_each(self, records: Sequence[R]) -> list[Any]:
        try:
            with self._database.transaction() as connection:
                return [self._store_alone(connection, record) for record in records]
        except Exception as error:
            raise _failed(error, records) from error

    def _store_alone(self, connection: Connection, record: R) -> Any:
        try:
            with connection.begin_nested():
                return self._store(connection, [record])[0]
        except STORE_FAULTS:
            raise
        except Exception as error:  # noqa: BLE001 - isolates one record from the next, and tells its sender
            log.warning("a record was refused: %s", type(error).__name__)  # its text may quote personal values
            return PermanentError(f"it cannot be stored ({type(error).__name__}): check its values.")

    def _keep(self, records: Sequence[R]) -> None:
        room = max(0, self._capacity - len(self._spool))
        self._spool.extend(records[:room])
        self.counts.spooled += min(room, len(records))
        self.counts.lost += max(0, len(records) - room)


def _failed(error: Exception, records: Sequence[Any]) -> StoreFailedError:
    log.error("the database did not take %d records: %s", len(records), type(error).__name__)
    return StoreFailedError("the database takes nothing at the moment: send it again in a moment.")


def _answer(batch: Sequence[_Waiting[Any]], results: Sequence[Any]) -> None:
    """Wake all requests of one event loop by a single call into it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for waiting, result in zip(batch, results, strict=True):
        by_loop.setdefault(waiting.loop, []).append((waiting.answer, result))
    for loop, answers in by_loop.items():
        with suppress(RuntimeError):  # its server has ended, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, answers)


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for answer, result in answers:
        if answer.done():
            continue  # the client went away
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)
