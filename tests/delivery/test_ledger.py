"""The transitions of the send ledger, each a conditional UPDATE: crashes, lost leases, replays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core.clock import ManualClock
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.envelope import Envelope
from delivery.facts import gather_facts
from delivery.housekeeping import has_due, keep_house
from delivery.ledger import (
    LEASE,
    STUCK,
    Ending,
    Outcome,
    begin_sending,
    claim_due,
    count_by_status,
    end_claimed,
    record_outcomes,
    renew_claims,
    settle_stuck,
)
from delivery.outbox import cancel_messages
from delivery.policy import Reason
from delivery.resend import MAY_HAVE_PASSED, Origin, resend_unsent
from delivery.tables import MessageKind, MessageStatus, message
from delivery.worker import DeliveryWorker
from tests.delivery.ledger_shop import (
    MINUTE,
    NOW,
    ScriptedTransport,
    add_person,
    attempts_of,
    compose,
    deliver,
    events_of,
    queue,
    row_of,
)


def claim(runtime: Runtime, worker: str = "w1", now: Any = NOW, limit: int = 100) -> list[Any]:
    with runtime.database.transaction() as connection:
        return claim_due(connection, worker=worker, limit=limit, now=now, paused={})


def begin(runtime: Runtime, rows: list[Any], worker: str = "w1") -> list[str]:
    """Commit `sending` for claimed rows, as the worker does before it calls; answers the ids that were still ours."""

    with runtime.database.transaction() as connection:
        gathered = gather_facts(connection, runtime.vault, get_workspace(connection), rows, NOW)
        envelopes = [one for one in compose(rows, gathered) if isinstance(one, Envelope)]
        by_id = {row.id: row for row in rows}
        return [one.message_id for one in begin_sending(connection, runtime.vault, worker, envelopes, by_id, NOW)]


def test_inserting_again_changes_nothing_when_a_message_is_there(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice)
    first = row_of(runtime)
    queue(runtime, alice, template="another", due_at=NOW + MINUTE)
    assert row_of(runtime) == first


def test_no_two_workers_get_the_same_message_when_both_claim(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    for number in range(6):
        queue(runtime, alice, f"m{number}", priority=number)
    mine = claim(runtime, "w1", limit=4)
    yours = claim(runtime, "w2")
    assert {row.id for row in mine} == {"m5", "m4", "m3", "m2"}
    assert {row.id for row in yours} == {"m1", "m0"}
    assert claim(runtime, "w3") == []


def test_a_claimed_message_is_sent_by_another_when_its_worker_died(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    (dead,) = claim(runtime, "dead")
    assert claim(runtime, "w2", NOW + LEASE - timedelta(microseconds=1)) == []
    transport = ScriptedTransport()
    assert dict(deliver(runtime, transport, now=NOW + LEASE).counts) == {"sent": 1}
    # The dead one comes back to life and finds its claim gone.
    assert begin(runtime, [dead], "dead") == []
    assert len(transport.sent) == 1


def test_a_lease_is_prolonged_when_its_worker_is_slow_and_alive(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    claim(runtime, "slow")
    with runtime.database.transaction() as connection:
        renew_claims(connection, "slow", NOW + LEASE / 2)
    assert claim(runtime, "w2", NOW + LEASE) == []
    assert len(claim(runtime, "w2", NOW + LEASE * 1.5)) == 1


def test_marketing_is_unknown_and_never_sent_again_when_its_process_died_in_the_call(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, "letter")
    queue(runtime, alice, "receipt", kind=MessageKind.TRANSACTIONAL, topic="orders")
    assert set(begin(runtime, claim(runtime))) == {"letter", "receipt"}
    transport = ScriptedTransport()
    worker = DeliveryWorker(runtime, {"email": transport}, compose, name="next")

    clock = runtime.clock
    assert isinstance(clock, ManualClock)
    clock.move_to(NOW + STUCK - timedelta(seconds=1))
    assert keep_house(runtime).settled_count == 0
    clock.move_to(NOW + STUCK)
    assert keep_house(runtime).settled_count == 1
    worker.deliver(NOW + STUCK)
    worker.close()

    assert row_of(runtime, "letter").status == MessageStatus.UNKNOWN
    assert [envelope.message_id for envelope in transport.sent] == ["receipt"]
    assert attempts_of(runtime, "receipt") == ["unknown", "accepted"]
    names = [(name, properties["message_id"]) for name, properties in events_of(runtime)]
    assert names == [("message_unknown", "letter"), ("message_sent", "receipt")]
    assert "reason" not in events_of(runtime)[0][1]


def test_an_outcome_changes_nothing_when_a_report_has_settled_the_message(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    begin(runtime, claim(runtime))
    with runtime.database.transaction() as connection:
        connection.execute(message.update().values(status=MessageStatus.SENT, sent_at=NOW))
        outcome = Outcome("m1", 1, MessageStatus.UNKNOWN, "unknown", "ses", error_code="ReadTimeoutError")
        record_outcomes(connection, [outcome], NOW + MINUTE)
    assert (row_of(runtime).status, row_of(runtime).sent_at) == (MessageStatus.SENT, NOW)
    assert attempts_of(runtime) == ["unknown"]


def test_an_ending_changes_nothing_when_the_claim_was_lost(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    claim(runtime, "w1")
    claim(runtime, "w2", NOW + LEASE)
    with runtime.database.transaction() as connection:
        end_claimed(connection, "w1", [Ending("m1", MessageStatus.SKIPPED, Reason.CAP)], NOW + LEASE)
    assert (row_of(runtime).status, row_of(runtime).claimed_by) == (MessageStatus.CLAIMED, "w2")


def test_only_what_is_not_claimed_is_cancelled_when_somebody_leaves(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, "claimed")
    claim(runtime)
    queue(runtime, alice, "waiting")
    queue(runtime, alice, "other", origin_id="launch-2")
    with runtime.database.transaction() as connection:
        assert cancel_messages(connection, "launch-1", NOW, "exit") == 1
        assert count_by_status(connection, "launch-1") == {("cancelled", "exit"): 1, ("claimed", None): 1}


def test_exactly_the_unsent_go_out_when_they_are_sent_again(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    for name, status in (("sent", "sent"), ("unknown", "unknown"), ("failed", "failed"), ("skipped", "skipped")):
        queue(runtime, alice, name)
        with runtime.database.transaction() as connection:
            changed = message.update().where(message.c.id == name)
            connection.execute(changed.values(status=status, reason="cap"))
    begin_again = ScriptedTransport()
    with runtime.database.transaction() as connection:
        assert resend_unsent(connection, Origin(origin_id="launch-1"), MAY_HAVE_PASSED, NOW) == 2
    deliver(runtime, begin_again)
    assert {envelope.message_id for envelope in begin_again.sent} == {"failed", "skipped"}


def test_a_rejected_message_can_be_called_again_when_the_unsent_are_sent_again(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    begin(runtime, claim(runtime))
    with runtime.database.transaction() as connection:
        failed = Outcome("m1", 1, MessageStatus.FAILED, "failed", "ses", error_code="MessageRejected")
        record_outcomes(connection, [failed], NOW)
        resend_unsent(connection, Origin(origin_id="launch-1"), MAY_HAVE_PASSED, NOW)
    assert dict(deliver(runtime, ScriptedTransport()).counts) == {"sent": 1}
    assert attempts_of(runtime) == ["failed", "accepted"]


def test_an_idle_worker_sees_that_nothing_is_due_when_it_asks(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"), due_at=NOW + MINUTE)
    with runtime.database.read() as connection:
        assert not has_due(connection, NOW)
        assert has_due(connection, NOW + MINUTE)
    claim(runtime, now=NOW + MINUTE)
    with runtime.database.read() as connection:
        assert not has_due(connection, NOW + MINUTE)
        assert has_due(connection, NOW + MINUTE + LEASE)


def test_the_context_is_sealed_when_a_message_carries_one(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, context={"entry": {"name": "Alice's cart"}})
    with runtime.database.read() as connection:
        sealed = connection.execute(select(message.c.context)).scalar_one()
    assert b"cart" not in sealed
    assert runtime.vault.open_document(alice, "message.context", sealed) == {"entry": {"name": "Alice's cart"}}


def test_a_stuck_transactional_message_is_unknown_when_it_was_called_twice(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"), kind=MessageKind.TRANSACTIONAL, topic="orders")
    with runtime.database.transaction() as connection:
        connection.execute(message.update().values(status=MessageStatus.SENDING, sending_at=NOW, attempt_count=2))
        assert [row.id for row in settle_stuck(connection, NOW + STUCK)] == ["m1"]
