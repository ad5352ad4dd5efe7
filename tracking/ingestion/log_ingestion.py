"""The ingestion that answers when a record is in the log on this machine's disk, whatever the database is doing.

Requests add records to the batch that is filling; one thread seals it, appends it to a segment and waits for the disk,
then answers all of its requests by one call into their event loop. The loader brings it into the database afterwards.
Records that must take effect before the answer go straight to the database, as `group_commit` does it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection

from core.clock import Clock
from core.database import Database
from core.errors import PostilionError
from core.vault import Vault
from tracking.events.record_calls import CallBatch, Taken
from tracking.ingestion.frames import frame
from tracking.ingestion.group_commit import CAPACITY, Ingestion, QueueFullError, StoreFailedError
from tracking.ingestion.log_records import LOGGED, Queued, seal_records, to_queued
from tracking.ingestion.segment_writer import SegmentWriter

log = logging.getLogger(__name__)

CAPACITY_BYTES = 64 * 1024 * 1024
_PATIENCE_S = 1.5
_RETRY_S = 1.0
_IDLE_S = 10.0
_SPOOLED_AT_ONCE = 500


class Loading(Protocol):
    """Who brings the log into the database."""

    def start(self, writer: SegmentWriter) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


class _Batch:
    """What came in while the one before was written, from one event loop."""

    __slots__ = ("answers", "is_watched", "loop", "readers", "records", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.records: list[Queued] = []
        self.answers: list[asyncio.Future[None]] = []
        self.readers: list[asyncio.Future[None]] = []  # of records that must be kept whatever happens
        self.is_watched = False
        self.size = 0


class LogIngestion(Ingestion[Any]):
    """One for a process, as `Ingestion`: `start` before the first request, `stop` after the last."""

    def __init__(
        self,
        database: Database,
        store: Callable[[Connection, Sequence[Any]], Sequence[Any]],
        vault: Vault,
        clock: Clock,
        open_writer: Callable[[], SegmentWriter],
        loading: Loading,
        *,
        capacity: int = CAPACITY,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        super().__init__(database, store, capacity=capacity)
        self._vault = vault
        self._clock = clock
        self._open_writer = open_writer
        self._loading = loading
        self._capacity_bytes = capacity_bytes
        self._filling: list[_Batch] = []
        self._count = self._bytes = 0  # waiting or being written
        self._kept: deque[Queued] = deque()
        self._turn = threading.Condition()
        self._ending = True
        self._appending: threading.Thread | None = None

    def start(self) -> None:
        """Raises OSError when the folder of the log cannot be written."""
        super().start()
        writer = self._open_writer()
        self._ending = False
        self._appending = threading.Thread(target=self._append, args=(writer,), name="ingestion log", daemon=True)
        self._appending.start()
        self._loading.start(writer)

    def stop(self) -> None:
        """Write what waits, load what the database takes, and end; the rest is loaded by the next start."""
        with self._turn:
            self._ending = True
            self._turn.notify()
        if self._appending is not None:
            self._appending.join()
            self._appending = None
            self._loading.stop()
        super().stop()

    async def submit(self, record: Any) -> Any:
        if not isinstance(record, LOGGED):
            return await super().submit(record)
        queued, size = to_queued(record)
        await self._put(queued, size, is_reader=False)
        return Taken(len(record.calls)) if isinstance(record, CallBatch) else None

    async def submit_or_spool(self, record: Any) -> None:
        if not isinstance(record, LOGGED):
            return await super().submit_or_spool(record)
        queued, size = to_queued(record)
        try:
            waiting = self._put(queued, size, is_reader=True)
        except QueueFullError:
            self._keep_queued([queued])
            return None
        return await waiting

    def _put(self, queued: Queued, size: int, *, is_reader: bool) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        with self._turn:
            if self._ending or self._count >= self._capacity or self._bytes + size > self._capacity_bytes:
                raise QueueFullError("too much is waiting to be stored: send it again in a moment.")
            if self._filling and self._filling[-1].loop is loop:
                batch = self._filling[-1]
            else:
                batch = _Batch(loop)
                self._filling.append(batch)
                self._turn.notify()
            batch.records.append(queued)
            batch.size += size
            (batch.readers if is_reader else batch.answers).append(answer)
            self._count += 1
            self._bytes += size
        if is_reader and not batch.is_watched:
            batch.is_watched = True
            loop.call_later(_PATIENCE_S, _resolve, batch.readers, None)  # a reader waits no longer
        return answer

    # -- the log's thread ---------------------------------------------------------------------------------------

    def _append(self, writer: SegmentWriter) -> None:
        while True:
            with self._turn:
                while not self._filling and not self._ending:
                    if not self._turn.wait(_RETRY_S if self._kept else _IDLE_S):
                        break
                batches, self._filling = self._filling, []
                ending = self._ending
            for batch in batches:
                self._write_batch(writer, batch)
            while self._kept and self._write_kept(writer):
                pass
            if not batches:
                writer.finish_if_old()  # so that it can be loaded to its end and deleted
            if ending and not batches:
                break
        writer.finish()
        if self._kept:
            self.counts.lost += len(self._kept)
            log.error("%d records were lost: the log would not take them before the end", len(self._kept))
            self._kept.clear()

    def _write_batch(self, writer: SegmentWriter, batch: _Batch) -> None:
        fault = self._write_records(writer, batch.records)
        if fault is not None and batch.readers:
            self._keep_queued([one for one in batch.records if not isinstance(one, msgspec.Raw)])
        with self._turn:
            self._count -= len(batch.records)
            self._bytes -= batch.size
        with suppress(RuntimeError):  # its server has ended, and nobody waits any more
            batch.loop.call_soon_threadsafe(_answer, batch, fault)

    def _write_records(self, writer: SegmentWriter, records: Sequence[Queued]) -> StoreFailedError | None:
        """Make `records` durable together; what went wrong where they are not."""
        today = self._clock.now().date()
        try:
            payloads = seal_records(self._vault, records, today)
            writer.append(b"".join(map(frame, payloads)))
        except Exception as error:  # noqa: BLE001 - the next batch must find a writer, and nobody may wait for ever
            log.warning("the log did not take %d records: %s", len(records), type(error).__name__)
            return StoreFailedError("nothing can be stored at the moment: send it again in a moment.")
        self.counts.stored += len(records)
        self._loading.wake()
        return None

    def _write_kept(self, writer: SegmentWriter) -> bool:
        """Try some of what was kept; False while the log still fails."""
        records = [self._kept.popleft() for _ in range(min(_SPOOLED_AT_ONCE, len(self._kept)))]
        if records and self._write_records(writer, records) is not None:
            self._kept.extendleft(reversed(records))
            return False
        return True

    def _keep_queued(self, records: Sequence[Queued]) -> None:
        room = max(0, self._capacity - len(self._kept))
        self._kept.extend(records[:room])
        self.counts.spooled += min(room, len(records))
        self.counts.lost += max(0, len(records) - room)


def _answer(batch: _Batch, fault: PostilionError | None) -> None:
    _resolve(batch.answers, fault)
    _resolve(batch.readers, None)


def _resolve(answers: Sequence[asyncio.Future[None]], fault: PostilionError | None) -> None:
    for answer in answers:
        if not answer.done():  # else the client went away, or has waited long enough
            if fault is None:
                answer.set_result(None)
            else:
                answer.set_exception(fault)
