from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import OperationalError

from core.clock import ManualClock
from core.database import Database
from core.errors import PermanentError
from customers.tables import event_key
from tracking.ingestion.group_commit import Ingestion, QueueFullError, StoreFailedError

T = TypeVar("T")


def _run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, 20))


class _Store:
    """Writes each record as an event key; counts its batches and fails where it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        self.now = clock.now()
        self.batches: list[int] = []
        self.is_broken = False

    def __call__(self, connection: Connection, records: Sequence[str]) -> list[str]:
        self.batches.append(len(records))
        if self.is_broken:
            raise OperationalError("INSERT", {}, OSError("disk full"))
        for record in records:
            if record == "bad":
                raise ValueError("no good")
            connection.execute(insert(event_key).values(key=record, received_at=self.now))
        return [record.upper() for record in records]


def _keys(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(event_key.c.key)).scalars())


def test_records_are_durable_when_submit_comes_back(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        ingestion = Ingestion(database, _Store(clock))
        ingestion.start()
        assert await ingestion.submit("a") == "A"
        assert _keys(database) == {"a"}
        ingestion.stop()

    _run(story())


def test_one_commit_serves_many_when_requests_come_together(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = _Store(clock)
        ingestion = Ingestion(database, store, batch=500)
        ingestion.start()
        names = [f"r{number}" for number in range(1000)]
        answers = await asyncio.gather(*(ingestion.submit(name) for name in names))
        assert answers == [name.upper() for name in names]
        assert len(store.batches) <= 20
        assert ingestion.counts.stored == 1000
        ingestion.stop()

    _run(story())


def test_one_record_fails_alone_when_the_others_in_its_batch_are_good(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        ingestion = Ingestion(database, _Store(clock))
        ingestion.start()
        answers = await asyncio.gather(*(ingestion.submit(name) for name in ("a", "bad", "b")), return_exceptions=True)
        assert answers[::2] == ["A", "B"]
        assert isinstance(answers[1], PermanentError)
        assert _keys(database) == {"a", "b"}
        assert (ingestion.counts.stored, ingestion.counts.refused) == (2, 1)
        ingestion.stop()

    _run(story())


def test_a_request_is_turned_away_when_the_queue_is_full(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        ingestion = Ingestion(database, _Store(clock), capacity=2)
        ingestion.start()
        with database.transaction() as connection:  # holds the writer up, on PostgreSQL by the same key
            connection.execute(insert(event_key).values(key="first", received_at=clock.now()))
            waiting = [asyncio.ensure_future(ingestion.submit("first"))]
            await asyncio.sleep(0.2)
            waiting += [asyncio.ensure_future(ingestion.submit(name)) for name in ("a", "b")]
            await asyncio.sleep(0.2)
            with pytest.raises(QueueFullError):
                await ingestion.submit("c")
            await ingestion.submit_or_spool("kept")
        first, *others = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, PermanentError)
        assert others == ["A", "B"]
        ingestion.stop()
        assert _keys(database) == {"first", "a", "b", "kept"}

    _run(story())


def test_calls_are_refused_and_opens_kept_when_the_database_fails(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = _Store(clock)
        store.is_broken = True
        ingestion = Ingestion(database, store, capacity=3)
        ingestion.start()
        with pytest.raises(StoreFailedError):
            await ingestion.submit("call")
        for number in range(5):
            await ingestion.submit_or_spool(f"open{number}")
        assert (ingestion.counts.spooled, ingestion.counts.lost) == (3, 2)
        store.is_broken = False
        assert await ingestion.submit("again") == "AGAIN"
        ingestion.stop()
        assert _keys(database) == {"again", "open0", "open1", "open2"}
        assert ingestion.counts.lost == 2

    _run(story())


def test_what_was_kept_is_stored_by_itself_when_the_database_is_back(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = _Store(clock)
        store.is_broken = True
        ingestion = Ingestion(database, store)
        ingestion.start()
        await ingestion.submit_or_spool("open")
        store.is_broken = False
        for _ in range(100):
            if ingestion.counts.stored:
                break
            await asyncio.sleep(0.05)
        assert _keys(database) == {"open"}
        ingestion.stop()

    _run(story())


def test_loss_is_counted_when_the_database_fails_to_the_end(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = _Store(clock)
        store.is_broken = True
        ingestion = Ingestion(database, store)
        ingestion.start()
        await ingestion.submit_or_spool("open")
        ingestion.stop()
        assert ingestion.counts.lost == 1
        with pytest.raises(QueueFullError):
            await ingestion.submit("late")

    _run(story())
