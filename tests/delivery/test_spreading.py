"""Mail that waits for the mailbox providers' sake: by the recipients' domain, and while a sender is new."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from core.definitions import publish
from core.runtime import Runtime
from customers.workspace import WarmUp, parse_workspace
from delivery.policy import Reason
from delivery.spreading import share_of_day
from delivery.tables import MessageKind, MessageStatus
from tests.delivery.ledger_shop import NOW, WORKSPACE, ScriptedTransport, add_person, deliver, queue, row_of


def publish_pace(runtime: Runtime, **pace: Any) -> None:
    with runtime.database.transaction() as connection:
        document = {**WORKSPACE, "pace": pace}
        publish(connection, "workspace", "shop", document=document, source="", file="workspace.yaml", now=NOW)


def queue_many(runtime: Runtime, count: int) -> None:
    for number in range(count):
        queue(runtime, add_person(runtime, f"person{number}"), f"m{number}")


def sent(runtime: Runtime, count: int) -> int:
    return sum(row_of(runtime, f"m{number}").status == MessageStatus.SENT for number in range(count))


def test_mails_to_one_domain_are_spread_when_it_has_a_pace(runtime: Runtime) -> None:
    publish_pace(runtime, domains={"people.example": "120/m"})
    queue_many(runtime, 10)
    transport = ScriptedTransport()
    counts = deliver(runtime, transport).counts
    assert counts == {"sent": 2, "held": 8}
    waiting = [row_of(runtime, f"m{number}") for number in range(10)]
    due = sorted(row.due_at for row in waiting if row.status == MessageStatus.DUE)
    assert {row.reason for row in waiting if row.status == MessageStatus.DUE} == {Reason.THROTTLED}
    assert due[-1] - NOW == pytest.approx(timedelta(seconds=9 / 2 / 0.95), abs=timedelta(milliseconds=1))
    assert deliver(runtime, transport, now=due[2]).counts == {"sent": 3}  # each has its place and is not spread again
    assert deliver(runtime, transport, now=due[-1]).counts == {"sent": 5}


def test_a_mail_to_another_domain_and_a_receipt_do_not_wait_when_one_domain_is_slow(runtime: Runtime) -> None:
    publish_pace(runtime, domains={"slow.example": "1/h"})
    queue_many(runtime, 3)
    assert deliver(runtime, ScriptedTransport()).counts == {"sent": 3}
    publish_pace(runtime, domains={"people.example": "1/h"})
    alice = add_person(runtime, "alice")
    for name in ("one", "two"):
        queue(runtime, alice, name, kind=MessageKind.TRANSACTIONAL, topic="orders")
    assert deliver(runtime, ScriptedTransport()).counts == {"sent": 2}


def test_mails_are_spread_anew_when_their_instants_were_missed(runtime: Runtime) -> None:
    publish_pace(runtime, domains={"people.example": "60/m"})
    queue_many(runtime, 6)
    deliver(runtime, ScriptedTransport())
    assert deliver(runtime, ScriptedTransport(), now=NOW + timedelta(hours=1)).counts == {"sent": 1, "held": 4}


def test_a_new_senders_mails_wait_for_the_next_day_when_its_share_is_used_up(runtime: Runtime) -> None:
    publish_pace(runtime, warm_up={"start": "2026-06-10", "first_day": 2, "factor": 2})
    queue_many(runtime, 7)
    transport = ScriptedTransport()
    assert deliver(runtime, transport).counts == {"sent": 2, "held": 5}
    assert deliver(runtime, transport, now=NOW + timedelta(hours=6)).claimed == 0
    tomorrow = NOW.replace(hour=23)  # midnight in London
    assert deliver(runtime, transport, now=tomorrow).counts == {"sent": 4, "held": 1}
    assert deliver(runtime, transport, now=tomorrow + timedelta(days=1)).counts == {"sent": 1}


def test_a_receipt_is_sent_when_the_share_of_the_day_is_used_up(runtime: Runtime) -> None:
    publish_pace(runtime, warm_up={"start": "2026-07-01", "first_day": 100})
    queue_many(runtime, 1)
    queue(runtime, add_person(runtime, "alice"), "receipt", kind=MessageKind.TRANSACTIONAL, topic="orders")
    assert deliver(runtime, ScriptedTransport()).counts == {"sent": 1, "held": 1}
    assert sent(runtime, 1) == 0


def test_a_waiting_mail_expires_when_its_time_is_over_before_its_turn(runtime: Runtime) -> None:
    publish_pace(runtime, warm_up={"start": "2026-07-01", "first_day": 100})
    queue(runtime, add_person(runtime, "alice"), expires_at=NOW + timedelta(hours=1))
    deliver(runtime, ScriptedTransport())
    assert row_of(runtime).due_at == NOW + timedelta(hours=1)
    assert deliver(runtime, ScriptedTransport(), now=NOW + timedelta(hours=1)).counts == {"expired": 1}


@pytest.mark.parametrize(("day", "share"), [(-1, 0), (0, 200), (1, 400), (5, 6_400), (40, 1_000_000_000)])
def test_the_share_doubles_each_day_and_never_overflows(day: int, share: int) -> None:
    start = date(2026, 6, 1)
    assert share_of_day(WarmUp(start, 200, 2.0), start + timedelta(days=day)) == share
    assert share_of_day(WarmUp(start, 10**9, 10.0), start + timedelta(days=9_999)) == 10**9


def test_the_pace_of_a_workspace_is_read_as_it_is_written() -> None:
    pace = {"domains": {"Gmail.com": "20/s", "web.example": "90/m"}, "warm_up": {"start": "2026-06-01", "first_day": 5}}
    workspace = parse_workspace({**WORKSPACE, "pace": pace})
    assert workspace.domain_pace == {"gmail.com": 20.0, "web.example": 1.5}
    assert workspace.warm_up == WarmUp(date(2026, 6, 1), 5, 2.0)
