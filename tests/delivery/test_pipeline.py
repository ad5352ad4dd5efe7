"""Messages on their way: what is true of the ledger at every moment, and what changes between a claim and its call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Lock
from time import sleep
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from core.runtime import Runtime
from customers.consent import ConsentStatus, NewConsent, record_consents
from delivery.callbacks.ses_events import ProviderReport
from delivery.envelope import Composed, Envelope, MessageRow
from delivery.facts import Gathered
from delivery.intake import Callback, store_callbacks
from delivery.pauses import pause
from delivery.pipeline.recorder import Recorder
from delivery.providers.transport import Accepted
from delivery.status import ReportKind
from delivery.tables import MessageStatus, message
from delivery.worker import DeliveryWorker
from tests.delivery.ledger_shop import NOW, ScriptedTransport, add_person, compose, deliver, queue, row_of

CALLERS = 4  # of the fixture `runtime`
A_WHILE = timedelta(minutes=5)


def queue_many(runtime: Runtime, count: int) -> None:
    for number in range(count):
        queue(runtime, add_person(runtime, f"person{number:02}"), f"m{number:02}")


def count_of(runtime: Runtime, status: MessageStatus) -> int:
    with runtime.database.read() as connection:
        query = select(func.count()).select_from(message).where(message.c.status == status)
        return connection.execute(query).scalar_one()


def _withdrawal(runtime: Runtime, number: int) -> NewConsent:
    name = f"person{number:02}"
    lookup = runtime.vault.blind_index("email", f"{name}@people.example")
    key = f"email:{name}:no"
    return NewConsent(lookup, "email", "marketing", ConsentStatus.WITHDRAWN, None, "link", NOW, None, key)


def test_never_more_messages_are_sending_than_calls_can_be_in_flight(runtime: Runtime) -> None:
    queue_many(runtime, 40)
    seen: list[int] = []

    def look(_envelope: Envelope) -> None:
        seen.append(count_of(runtime, MessageStatus.SENDING))

    assert deliver(runtime, ScriptedTransport(answer=look)).counts["sent"] == 40
    assert 1 <= max(seen) <= CALLERS


def test_an_unsubscribe_is_honoured_when_it_comes_between_the_claim_and_the_call(runtime: Runtime) -> None:
    queue_many(runtime, 12)
    lock, said = Lock(), Event()

    def withdraw(_envelope: Envelope) -> None:
        with lock:
            if said.is_set():
                return
            with runtime.database.transaction() as connection:
                record_consents(connection, [_withdrawal(runtime, 11)], NOW)
            said.set()

    transport = ScriptedTransport(answer=withdraw)
    assert dict(deliver(runtime, transport).counts) == {"sent": 11, "consent": 1}
    assert row_of(runtime, "m11").status == MessageStatus.SKIPPED
    assert "m11" not in {envelope.message_id for envelope in transport.sent}


def test_a_claimed_message_goes_back_when_its_campaign_is_paused_meanwhile(runtime: Runtime) -> None:
    queue_many(runtime, 12)

    def stop(_envelope: Envelope) -> None:
        with runtime.database.transaction() as connection:
            pause(connection, "campaign:summer", "enough", NOW)

    transport = ScriptedTransport(answer=stop)
    deliver(runtime, transport)
    assert len(transport.sent) <= CALLERS
    assert count_of(runtime, MessageStatus.DUE) == 12 - len(transport.sent)
    assert count_of(runtime, MessageStatus.CLAIMED) == 0


def test_the_pace_loses_nothing_when_messages_are_dropped_just_before_their_calls(runtime: Runtime) -> None:
    queue_many(runtime, 40)

    def withdraw_all(_envelope: Envelope) -> None:
        with runtime.database.transaction() as connection:
            record_consents(connection, [_withdrawal(runtime, number) for number in range(30)], NOW)

    transport = ScriptedTransport(answer=withdraw_all, rate=200.0)
    counts = deliver(runtime, transport).counts
    assert counts["sent"] >= 10
    assert counts["sent"] + counts["consent"] == 40


def test_calls_in_flight_end_and_the_rest_goes_back_when_the_worker_is_asked_to_stop(runtime: Runtime) -> None:
    queue_many(runtime, 20)
    asked = Event()

    def take_time(_envelope: Envelope) -> None:
        asked.set()
        sleep(0.2)

    worker = DeliveryWorker(runtime, {"email": ScriptedTransport(answer=take_time)}, compose, name="w")
    try:
        result = worker.deliver(NOW, length=A_WHILE, is_stopped=asked.is_set)
    finally:
        worker.close()
    assert count_of(runtime, MessageStatus.SENT) == result.counts["sent"] < 20
    assert count_of(runtime, MessageStatus.DUE) == 20 - result.counts["sent"]


def test_the_next_batch_is_composed_while_the_calls_of_the_last_are_in_flight(runtime: Runtime) -> None:
    queue_many(runtime, 8)
    second = Event()
    batches: list[int] = []
    overlapped: list[bool] = []

    def counting(rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> list[Composed]:
        batches.append(len(rows))
        if len(batches) == 2:
            second.set()
        return compose(rows, gathered)

    transport = ScriptedTransport(answer=lambda _: overlapped.append(second.wait(10)))
    worker = DeliveryWorker(runtime, {"email": transport}, counting, name="w", batch_size=4)
    try:
        assert worker.deliver(NOW, length=A_WHILE).counts["sent"] == 8
    finally:
        worker.close()
    assert batches == [4, 4]
    assert all(overlapped)


def test_no_outcome_is_lost_when_the_database_is_away_for_a_moment(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_many(runtime, 6)
    record, failures = Recorder.record, [OperationalError("COMMIT", {}, Exception("gone"))]

    def away_once(recorder: Recorder, finished: Any, begun: Any, now: Any) -> Any:
        if finished and failures:
            raise failures.pop()
        return record(recorder, finished, begun, now)

    monkeypatch.setattr(Recorder, "record", away_once)
    worker = DeliveryWorker(runtime, {"email": ScriptedTransport()}, compose, name="w")
    try:
        with pytest.raises(OperationalError):
            worker.deliver(NOW)
        worker.deliver(NOW)
    finally:
        worker.close()
    assert count_of(runtime, MessageStatus.SENT) == 6


def test_two_workers_share_the_work_when_both_are_awake(runtime: Runtime) -> None:
    queue_many(runtime, 30)
    transport = ScriptedTransport(answer=lambda _: sleep(0.001))
    workers = [DeliveryWorker(runtime, {"email": transport}, compose, name=f"w{n}", batch_size=5) for n in range(2)]
    try:
        results = [worker.deliver(NOW) for worker in workers * 3]
    finally:
        for worker in workers:
            worker.close()
    assert sum(result.counts["sent"] for result in results) == 30
    assert len({envelope.message_id for envelope in transport.sent}) == len(transport.sent) == 30


class Sleepy:
    """Takes its time, as a provider does."""

    name, channel = "sleepy", "email"

    def send(self, envelope: Envelope) -> Accepted:
        sleep(0.05)
        return Accepted(envelope.message_id)

    def read_rate(self) -> float | None:
        return None


def test_nothing_stays_behind_when_a_worker_is_closed_in_the_middle(runtime: Runtime) -> None:
    queue_many(runtime, 12)
    worker = DeliveryWorker(runtime, {"email": Sleepy()}, compose, name="w")
    looks = iter([False])
    worker.deliver(NOW, is_stopped=lambda: next(looks, True))
    worker.close()
    assert count_of(runtime, MessageStatus.SENDING) == count_of(runtime, MessageStatus.CLAIMED) == 0


def test_a_message_fails_with_its_cause_when_no_transport_serves_it(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    assert dict(deliver(runtime, ScriptedTransport(channel="sms")).counts) == {"render_error": 1}
    assert row_of(runtime).detail == "no transport serves email"


def test_nobody_waits_in_a_circle_when_reports_come_while_their_outcomes_are_recorded(runtime: Runtime) -> None:
    queue_many(runtime, 60)
    store, is_over = store_callbacks(runtime), Event()
    transport = ScriptedTransport(answer=lambda _: sleep(0.002))

    def report() -> int:
        rounds = 0
        while not is_over.is_set():
            with transport.lock:
                newest_first = [envelope.message_id for envelope in reversed(transport.sent)]
            rounds += 1
            with runtime.database.transaction() as connection:
                store(connection, [_delivery(name, rounds) for name in newest_first])
        return rounds

    with ThreadPoolExecutor(1) as reporter:
        reported = reporter.submit(report)
        worker = DeliveryWorker(runtime, {"email": transport}, compose, name="w1")
        try:
            worker.deliver(NOW)
        finally:
            worker.close()
            is_over.set()
        assert reported.result() > 1
    assert count_of(runtime, MessageStatus.SENT) == 60


def _delivery(message_id: str, copy: int) -> Callback:
    kind = ReportKind.OPENED if copy % 2 else ReportKind.DELIVERED
    report = ProviderReport(kind, message_id, f"provider-{message_id}", NOW)
    return Callback(f"{message_id}:{copy}", report, "{}", NOW)
