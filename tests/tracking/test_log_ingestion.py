"""What is acknowledged lies in the log, sealed, and comes into the database once."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import structs
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from core.clock import ManualClock
from core.errors import ConflictError, NotFoundError
from core.runtime import Runtime
from customers.tables import customer_event, event_key
from tests import canary
from tests.tracking.conftest import SendMail
from tracking.classify import Act, ActKind
from tracking.engagement import Engagement
from tracking.events.event_spec import Call, CallKind
from tracking.events.quarantine import destroy_old_day_keys, list_quarantined, open_quarantined
from tracking.events.record_calls import CallBatch, Taken
from tracking.events.write_keys import WriteKey, WriteKeyKind
from tracking.ingestion.group_commit import QueueFullError, StoreFailedError
from tracking.ingestion.loader import Loader
from tracking.ingestion.log_ingestion import LogIngestion
from tracking.ingestion.log_records import LoggedRecords, open_records
from tracking.ingestion.positions import LogPosition, advance, get_log_position
from tracking.ingestion.records import store_in, store_logged
from tracking.ingestion.segment_writer import SegmentWriter
from tracking.ingestion.slots import create_slot, iter_abandoned
from tracking.tables import engagement_event, quarantine

T = TypeVar("T")
SECRET = WriteKey("backend", WriteKeyKind.SECRET)
MARK = "kanarienvogel@people.example"


class Shop:
    """An ingestion with its log in a folder, whose loader may be held back."""

    def __init__(self, runtime: Runtime, root: Path) -> None:
        self.runtime, self.root = runtime, root
        self.store = store_logged(runtime.vault)
        self.sync: Callable[[int], None] = os.fdatasync
        self.loads = True

    def loader(self) -> Loader:
        def store(connection: Any, records: LoggedRecords) -> None:
            if not self.loads:
                raise OperationalError("INSERT", {}, OSError("away"))
            self.store(connection, records)

        return Loader(self.runtime.database, self.runtime.vault, self.runtime.clock, store, self.root)

    def ingestion(self, **options: Any) -> LogIngestion:
        runtime = self.runtime
        return LogIngestion(
            runtime.database,
            store_in(runtime.vault),
            runtime.vault,
            runtime.clock,
            lambda: SegmentWriter(create_slot(self.root), sync=self._sync_now),
            self.loader(),
            **options,
        )

    def _sync_now(self, descriptor: int) -> None:
        self.sync(descriptor)

    def count(self, table: Any = customer_event) -> int:
        with self.runtime.database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    async def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(400):
            if is_so():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it did not come")

    def segments(self) -> list[Path]:
        return sorted(self.root.glob("*/*.log"))


@pytest.fixture
def shop(runtime: Runtime, tmp_path: Path) -> Shop:
    return Shop(runtime, tmp_path / "ingest")


def run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, 30))


def calls(shop: Shop, *keys: str, name: str = "Page Viewed", **more: Any) -> CallBatch:
    now = shop.runtime.clock.now()
    made = [Call(CallKind.TRACK, key, now, user_id="alice", name=name, **more) for key in keys]
    return CallBatch(tuple(enumerate(made)), SECRET, now)


def leave_behind(shop: Shop, *records: Any) -> None:
    """What a process leaves that was killed before it loaded anything."""

    async def story() -> None:
        shop.loads = False
        ingestion = shop.ingestion()
        ingestion.start()
        for record in records:
            await ingestion.submit(record)
        await asyncio.to_thread(ingestion.stop)
        shop.loads = True

    run(story())


def test_events_and_opens_come_into_the_database_when_they_were_acknowledged(shop: Shop, send_mail: SendMail) -> None:
    mail = send_mail()

    async def story() -> None:
        ingestion = shop.ingestion()
        ingestion.start()
        answers = await asyncio.gather(*(ingestion.submit(calls(shop, f"{n}a", f"{n}b")) for n in range(50)))
        assert answers == [Taken(2)] * 50
        act = Act(ActKind.OPENED, shop.runtime.clock.now(), "Mozilla/5.0 (Macintosh) Safari/605")
        await asyncio.gather(*(ingestion.submit_or_spool(Engagement(mail.token_id, act)) for _ in range(3)))
        await shop.until(lambda: shop.count() == 100 and shop.count(engagement_event) == 3)
        ingestion.stop()

    run(story())
    assert list(shop.root.iterdir()) == []


def test_nothing_is_stored_twice_when_the_same_call_comes_again(shop: Shop) -> None:
    leave_behind(shop, calls(shop, "1", "2"), calls(shop, "2", "3"))
    shop.loader().load_abandoned()
    assert shop.count() == 3


def test_what_was_left_behind_is_loaded_when_another_process_starts(shop: Shop) -> None:
    leave_behind(shop, calls(shop, "1"))
    assert shop.count() == 0
    assert len(shop.segments()) == 1

    async def story() -> None:
        ingestion = shop.ingestion()
        ingestion.start()
        await shop.until(lambda: shop.count() == 1)
        ingestion.stop()

    run(story())
    assert list(shop.root.iterdir()) == []


def test_a_slot_in_use_is_left_alone_when_others_are_taken_over(shop: Shop) -> None:
    slot = create_slot(shop.root)
    assert list(iter_abandoned(shop.root)) == []
    slot.close()
    (taken,) = iter_abandoned(shop.root)
    assert taken.name == slot.name
    taken.remove()
    assert list(shop.root.iterdir()) == []


def test_a_torn_record_is_cut_off_when_the_process_was_killed_while_writing(shop: Shop) -> None:
    leave_behind(shop, calls(shop, "1"), calls(shop, "2"))
    (segment,) = shop.segments()
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[: len(whole) // 2 - 5])
    shop.loader().load_abandoned()
    assert shop.count() == 2
    assert shop.count(quarantine) == 0


def test_a_damaged_record_is_quarantined_when_others_follow_it(shop: Shop) -> None:
    leave_behind(shop, calls(shop, "1"), calls(shop, "2"))
    (segment,) = shop.segments()
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    loader = shop.loader()
    loader.load_abandoned()
    assert shop.count() == 1
    with shop.runtime.database.read() as connection:
        (kept,) = list_quarantined(connection, 10)
    assert "checksum" in kept.reason
    assert loader.counts.poison == 1


def test_nobody_is_acknowledged_when_the_disk_does_not_take_the_batch(shop: Shop) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    async def story() -> None:
        ingestion = shop.ingestion()
        ingestion.start()
        await ingestion.submit(calls(shop, "before"))
        shop.sync = fail
        answers = await asyncio.gather(
            *(ingestion.submit(calls(shop, f"lost{number}")) for number in range(20)), return_exceptions=True
        )
        assert all(isinstance(answer, StoreFailedError) for answer in answers)
        await ingestion.submit_or_spool(Engagement(1, Act(ActKind.OPENED, shop.runtime.clock.now())))
        assert ingestion.counts.spooled == 1
        shop.sync = os.fdatasync
        await ingestion.submit(calls(shop, "after"))
        assert len(list(shop.root.glob("*/*.log"))) >= 1
        await shop.until(lambda: shop.count() == 2)
        ingestion.stop()
        assert ingestion.counts.lost == 0

    run(story())
    with shop.runtime.database.read() as connection:
        assert set(connection.scalars(select(event_key.c.key))) == {"backend:before", "backend:after"}


def test_a_request_is_turned_away_when_the_queue_is_full(shop: Shop) -> None:
    async def story() -> None:
        shop.sync = lambda _descriptor: threading_wait()
        ingestion = shop.ingestion(capacity=3)
        ingestion.start()
        waiting = [asyncio.ensure_future(ingestion.submit(calls(shop, str(number)))) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await ingestion.submit(calls(shop, "one too many"))
        await ingestion.submit_or_spool(Engagement(1, Act(ActKind.OPENED, shop.runtime.clock.now())))
        await asyncio.gather(*waiting)
        ingestion.stop()

    def threading_wait() -> None:
        import time

        time.sleep(0.2)

    run(story())
    assert shop.count() == 3


def test_bytes_bound_the_queue_when_requests_are_large(shop: Shop) -> None:
    async def story() -> None:
        ingestion = shop.ingestion(capacity_bytes=10_000)
        ingestion.start()
        with pytest.raises(QueueFullError):
            await ingestion.submit(calls(shop, "1", properties={"path": "x" * 20_000}))
        ingestion.stop()

    run(story())


def test_nothing_is_lost_when_the_database_is_away_for_a_while(shop: Shop) -> None:
    async def story() -> None:
        shop.loads = False
        ingestion = shop.ingestion()
        ingestion.start()
        for number in range(10):
            await ingestion.submit(calls(shop, str(number)))
        await asyncio.sleep(0.5)
        assert shop.count() == 0
        shop.loads = True
        await shop.until(lambda: shop.count() == 10)
        ingestion.stop()

    run(story())


def test_a_batch_is_loaded_once_when_the_loader_ends_between_storing_and_committing(shop: Shop) -> None:
    leave_behind(shop, calls(shop, "1", "2"), calls(shop, "3"))
    store = shop.store

    def store_and_die(connection: Any, records: LoggedRecords) -> None:
        store(connection, records)
        raise OperationalError("COMMIT", {}, OSError("killed"))

    shop.store = store_and_die
    with pytest.raises(OperationalError):
        shop.loader().load_abandoned()
    assert shop.count() == shop.count(event_key) == 0
    shop.store = store
    shop.loader().load_abandoned()
    assert shop.count() == shop.count(event_key) == 3


def test_opens_are_stored_once_when_two_load_the_same_slot(shop: Shop, send_mail: SendMail) -> None:
    mail = send_mail()
    act = Act(ActKind.OPENED, shop.runtime.clock.now(), "Mozilla/5.0 (Macintosh) Safari/605")
    leave_behind(shop, Engagement(mail.token_id, act))
    (slot,) = [folder.name for folder in shop.root.iterdir()]

    def load() -> None:
        with shop.runtime.database.transaction() as connection:
            advance(connection, slot, LogPosition(), LogPosition(1, 10_000))
            shop.store(connection, LoggedRecords(engagements=[Engagement(mail.token_id, act)]))

    load()
    with pytest.raises(ConflictError):
        load()
    shop.loader().load_abandoned()
    assert shop.count(engagement_event) == 1
    with shop.runtime.database.read() as connection:
        assert get_log_position(connection, slot) == LogPosition()


def test_poison_goes_into_quarantine_when_the_records_around_it_are_good(shop: Shop) -> None:
    good, store = calls(shop, "1", "2", "3"), shop.store

    def choke(connection: Any, records: LoggedRecords) -> None:
        store(connection, records)
        if any(call.key == "2" for batch in records.calls for _, call in batch.calls):
            raise ValueError("the second one is poison")

    leave_behind(shop, good, calls(shop, "4"))
    shop.store = choke
    loader = shop.loader()
    loader.load_abandoned()
    assert (loader.counts.loaded, loader.counts.poison) == (3, 1)
    with shop.runtime.database.read() as connection:
        assert set(connection.scalars(select(event_key.c.key))) == {"backend:1", "backend:3", "backend:4"}
        (kept,) = list_quarantined(connection, 10)
        assert kept.source == "backend"
        assert kept.reason == "ValueError while storing it"
        assert '"key":"2"' in open_quarantined(connection, shop.runtime.vault, kept.id)


def test_poison_is_found_when_it_looks_like_the_databases_trouble(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.ingestion.loader._RETRY_S", (0.01,))
    store = shop.store

    def choke(connection: Any, records: LoggedRecords) -> None:
        if any(call.key == "2" for batch in records.calls for _, call in batch.calls):
            raise OperationalError("INSERT", {}, OSError("too many terms"))
        store(connection, records)

    async def story() -> None:
        shop.store = choke
        ingestion = shop.ingestion()
        ingestion.start()
        await ingestion.submit(calls(shop, "1", "2", "3"))
        await shop.until(lambda: shop.count() == 2 and shop.count(quarantine) == 1)
        ingestion.stop()

    run(story())


def test_refused_calls_are_quarantined_beside_their_requests_own_when_many_are_stored_together(shop: Shop) -> None:
    batches = [calls(shop, f"{number}a", f"{number}b") for number in range(3)]
    nameless = [structs.replace(call, name="") for _, call in batches[1].calls]
    leave_behind(shop, batches[0], structs.replace(batches[1], calls=tuple(enumerate(nameless))), batches[2])
    shop.loader().load_abandoned()
    assert shop.count() == 4
    assert shop.count(quarantine) == 2


def test_no_personal_value_stands_in_clear_when_it_lies_in_a_segment(shop: Shop) -> None:
    leave_behind(shop, calls(shop, MARK, traits={"email": MARK}, properties={"note": MARK}))
    (segment,) = shop.segments()
    assert list(canary.search_files([MARK], shop.root)) == []
    assert segment.stat().st_size > 100


def test_old_segments_are_unreadable_when_the_key_of_their_day_was_destroyed(shop: Shop, clock: ManualClock) -> None:
    leave_behind(shop, calls(shop, "1"))
    (segment,) = shop.segments()
    copied = segment.read_bytes()[8:]
    assert open_records(shop.runtime.vault, copied).weight == 1
    clock.advance(timedelta(days=3))
    runtime = replace(shop.runtime, settings=replace(shop.runtime.settings, state=str(shop.root.parent)))
    destroy_old_day_keys(runtime, clock.now())
    assert open_records(shop.runtime.vault, copied).weight == 1  # not loaded yet: it is kept
    shop.loader().load_abandoned()
    assert shop.count() == 1
    destroy_old_day_keys(runtime, clock.now())
    with pytest.raises(NotFoundError):
        open_records(shop.runtime.vault, copied)


def test_records_keep_their_order_when_segments_are_many(runtime: Runtime, tmp_path: Path, shop: Shop) -> None:
    written: list[str] = []

    def note(_connection: Any, records: LoggedRecords) -> None:
        written.extend(call.key for batch in records.calls for _, call in batch.calls)

    loader = Loader(runtime.database, runtime.vault, runtime.clock, note, shop.root)
    ingestion = LogIngestion(
        runtime.database,
        store_in(runtime.vault),
        runtime.vault,
        runtime.clock,
        lambda: SegmentWriter(create_slot(shop.root), segment_bytes=2_000),
        loader,
    )

    async def story(keys: Sequence[str]) -> None:
        ingestion.start()
        for key in keys:
            await ingestion.submit(calls(shop, key))
        ingestion.stop()

    keys = [str(number) for number in range(60)]
    run(story(keys))
    assert written == keys
    assert list(shop.root.iterdir()) == []
