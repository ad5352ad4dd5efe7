"""The silence alarm: it rings once when mail goes out and nothing comes back, and ends by itself."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from core.runtime import Runtime
from core.settings import Settings
from delivery.alarms import list_alarms
from delivery.silence import NAME, PATIENCE, watch_silence
from delivery.tables import MessageStatus, delivery_event, message
from tests.delivery.ledger_shop import MINUTE, NOW, add_person, queue

LATER = NOW + PATIENCE + MINUTE


def send(runtime: Runtime, count: int, *, provider: str = "ses", at: datetime = NOW) -> None:
    alice = add_person(runtime, "alice")
    for number in range(count):
        queue(runtime, alice, f"m{number}")
    with runtime.database.transaction() as connection:
        sent = {"status": MessageStatus.SENT, "provider": provider, "ended_at": at, "sent_at": at, "lookup": "x"}
        connection.execute(update(message).values(**sent))


def hear(runtime: Runtime, at: datetime) -> None:
    with runtime.database.transaction() as connection:
        row = {"key": f"sns:{at}", "kind": "delivered", "occurred_at": at, "received_at": at}
        connection.execute(insert(delivery_event).values(**row))


def watch(runtime: Runtime, now: datetime, settings: Settings | None = None) -> bool:
    with runtime.database.transaction() as connection:
        return watch_silence(connection, settings or runtime.settings, now)


def alarms(runtime: Runtime) -> list[str]:
    with runtime.database.read() as connection:
        return [one.name for one in list_alarms(connection)]


def test_the_alarm_rings_once_when_nothing_ever_came_back(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    send(runtime, 10)
    with caplog.at_level(logging.WARNING):
        assert not watch(runtime, NOW + PATIENCE - MINUTE)
        assert [watch(runtime, LATER + turn * MINUTE) for turn in range(5)] == [True] + [False] * 4
    assert alarms(runtime) == [NAME]
    assert len(caplog.records) == 1
    assert "set POSTILION_SNS_TOPICS or POSTILION_SQS_QUEUE" in caplog.text


def test_the_alarm_says_where_to_look_when_a_way_back_is_configured(runtime: Runtime) -> None:
    send(runtime, 12)
    hear(runtime, NOW - 90 * MINUTE)
    watch(runtime, LATER, replace(runtime.settings, sns_topics="arn:topic"))
    with runtime.database.read() as connection:
        cause = list_alarms(connection)[0].cause
    assert cause == (
        "12 mails went out and SES has reported nothing for 121 minutes: "
        "look at the configuration set's event destination and at its topic's subscriptions"
    )


def test_the_alarm_ends_when_something_is_heard_again(runtime: Runtime) -> None:
    send(runtime, 10)
    watch(runtime, LATER)
    hear(runtime, LATER)
    assert not watch(runtime, LATER + MINUTE)
    assert alarms(runtime) == []


@pytest.mark.parametrize(("count", "provider"), [(9, "ses"), (50, "smtp"), (50, "capture")])
def test_the_alarm_is_silent_when_nothing_can_be_told(runtime: Runtime, count: int, provider: str) -> None:
    send(runtime, count, provider=provider)
    assert not watch(runtime, LATER)


def test_the_alarm_is_silent_when_reports_came_after_the_mails(runtime: Runtime) -> None:
    send(runtime, 50)
    hear(runtime, NOW + MINUTE)
    assert not watch(runtime, NOW + timedelta(hours=3))
