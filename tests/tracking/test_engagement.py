from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core.clock import ManualClock
from core.runtime import Runtime
from customers.workspace import Workspace
from delivery.tables import message
from tests.tracking.conftest import BROWSER, Mail, SendMail
from tracking.classify import Act, ActKind
from tracking.engagement import SETTLING, Engagement, record_engagement, settle_engagement
from tracking.tables import engagement_event

Record = Callable[..., None]
Settle = Callable[[], int]


@pytest.fixture
def record(runtime: Runtime, clock: ManualClock) -> Record:
    def do(mail: Mail, kind: ActKind, link_no: int | None = None, agent: str = BROWSER) -> None:
        act = Act(kind, clock.now(), agent, link_no)
        with runtime.database.transaction() as connection:
            assert record_engagement(connection, [Engagement(mail.token_id, act, "tea" if link_no else None)]) == 1

    return do


@pytest.fixture
def settle(runtime: Runtime, workspace: Workspace, clock: ManualClock) -> Settle:
    def do() -> int:
        with runtime.database.transaction() as connection:
            return settle_engagement(connection, runtime.vault, workspace, clock.now())

    return do


def _events(runtime: Runtime) -> list[Any]:
    with runtime.database.read() as connection:
        return list(connection.execute(select(engagement_event).order_by(engagement_event.c.id)))


def test_a_click_reaches_the_log_when_it_is_ten_seconds_old(
    send_mail: SendMail, record: Record, settle: Settle, clock: ManualClock, logged: Callable[..., list[Any]]
) -> None:
    mail = send_mail()
    record(mail, ActKind.CLICKED, 1)
    clock.advance(SETTLING - timedelta(microseconds=1))
    assert settle() == 0
    assert logged() == []
    clock.advance(timedelta(microseconds=1))
    assert settle() == 1
    assert settle() == 0
    (event,) = logged()
    assert (event.name, event.profile_id, event.source) == ("link_clicked", mail.profile_id, "tracking")
    assert event.properties == {
        "message_id": "m-1",
        "channel": "email",
        "topic": "marketing",
        "origin_kind": "campaign",
        "origin": "letters",
        "origin_id": "launch-1",
        "link_no": 1,
        "link_tag": "tea",
        "is_human": True,
    }


def test_no_click_of_a_scanner_is_human_when_only_its_second_gives_it_away(
    runtime: Runtime,
    send_mail: SendMail,
    record: Record,
    settle: Settle,
    clock: ManualClock,
    logged: Callable[..., list[Any]],
) -> None:
    mail, other = send_mail(), send_mail("m-2", "bob@shop.example")
    record(mail, ActKind.CLICKED, 1)
    record(other, ActKind.CLICKED, 1)
    assert [event.human_probability >= 0.5 for event in _events(runtime)] == [True, True]
    clock.advance(timedelta(seconds=1))
    record(mail, ActKind.CLICKED, 2)
    clock.advance(timedelta(seconds=1))
    record(mail, ActKind.CLICKED, 3)
    assert [event.reasons for event in _events(runtime)] == [["many_links"], [], ["many_links"], ["many_links"]]
    clock.advance(SETTLING)
    assert settle() == 4
    assert [(event.properties["message_id"], event.properties["is_human"]) for event in logged()] == [
        ("m-1", False),
        ("m-2", True),
        ("m-1", False),
        ("m-1", False),
    ]


def test_an_open_is_judged_by_the_delivery_when_that_is_reported_later(
    runtime: Runtime,
    send_mail: SendMail,
    record: Record,
    settle: Settle,
    clock: ManualClock,
    logged: Callable[..., list[Any]],
) -> None:
    mail = send_mail()
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(delivered_at=None))
    record(mail, ActKind.OPENED)
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(delivered_at=clock.now() + timedelta(seconds=3)))
    clock.advance(SETTLING)
    settle()
    assert logged()[0].properties["is_human"] is False
    assert _events(runtime)[0].reasons == ["at_delivery"]


def test_the_log_stays_as_it_is_when_evidence_comes_after_settling(
    runtime: Runtime,
    send_mail: SendMail,
    record: Record,
    settle: Settle,
    clock: ManualClock,
    logged: Callable[..., list[Any]],
) -> None:
    mail = send_mail()
    record(mail, ActKind.OPENED)
    clock.advance(SETTLING)
    settle()
    record(mail, ActKind.CLICKED, 1)
    assert _events(runtime)[0].reasons == ["clicked_after"]
    clock.advance(SETTLING)
    settle()
    assert [event.name for event in logged()] == ["message_opened", "link_clicked"]


def test_a_probe_is_kept_and_never_logged_when_a_scanner_asks_by_head(
    runtime: Runtime,
    send_mail: SendMail,
    record: Record,
    settle: Settle,
    clock: ManualClock,
    logged: Callable[..., list[Any]],
) -> None:
    mail = send_mail()
    record(mail, ActKind.PROBED, 1)
    clock.advance(SETTLING)
    assert settle() == 1
    assert logged() == []
    assert [(event.kind, event.human_probability) for event in _events(runtime)] == [("probed", 0.0)]


def test_nothing_is_recorded_when_the_message_is_unknown(runtime: Runtime, clock: ManualClock) -> None:
    with runtime.database.transaction() as connection:
        assert record_engagement(connection, [Engagement(1, Act(ActKind.OPENED, clock.now()))]) == 0
