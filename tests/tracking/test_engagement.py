from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core.clock import ManualClock
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.workspace import Workspace
from delivery.message_log import message_event
from delivery.tables import message
from tests.tracking.conftest import BROWSER, Mail, SendMail
from tracking.classify import Act, ActKind, Network
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
    given_away = ["links_at_once", "many_links"]
    assert [event.reasons for event in _events(runtime)] == [given_away, [], given_away, given_away]
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


def test_the_decoy_gives_a_scanner_away_when_it_comes_after_its_click(
    runtime: Runtime,
    send_mail: SendMail,
    record: Record,
    settle: Settle,
    clock: ManualClock,
    logged: Callable[..., list[Any]],
) -> None:
    mail = send_mail()
    record(mail, ActKind.CLICKED, 1)
    clock.advance(timedelta(seconds=6))
    record(mail, ActKind.DECOYED)
    clock.advance(SETTLING)
    settle()
    assert [(event.kind, event.human_probability >= 0.5) for event in _events(runtime)] == [
        ("clicked", False),
        ("decoyed", False),
    ]
    assert [(event.name, event.properties["is_human"]) for event in logged()] == [("link_clicked", False)]
    clock.advance(timedelta(hours=1))
    record(mail, ActKind.CLICKED, 1)  # the person whose mail was scanned
    assert [event.human_probability >= 0.5 for event in _events(runtime)] == [False, False, True]


def test_a_network_is_known_again_when_the_act_is_judged_anew(
    runtime: Runtime, send_mail: SendMail, clock: ManualClock, record: Record
) -> None:
    mail = send_mail()
    for network in (Network.DATACENTRE, Network.SCANNER, Network.RELAY):
        act = Act(ActKind.CLICKED, clock.now(), BROWSER, 1, network)
        with runtime.database.transaction() as connection:
            record_engagement(connection, [Engagement(mail.token_id, act)])
    clock.advance(timedelta(minutes=1))
    record(mail, ActKind.PROBED, 3)
    assert [event.reasons for event in _events(runtime)] == [["datacentre"], ["scanner_network"], [], ["head"]]


def test_a_click_is_judged_anew_when_its_delivery_is_reported_after_settling(
    runtime: Runtime,
    workspace: Workspace,
    send_mail: SendMail,
    record: Record,
    settle: Settle,
    clock: ManualClock,
) -> None:
    mail = send_mail()
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(delivered_at=None))
        first = NewEvent("page_viewed", clock.now(), "test", "first", properties={"path": "/"})
        append_events(connection, runtime.vault, workspace, [first], clock.now())
    settle()
    record(mail, ActKind.CLICKED, 1)
    clock.advance(SETTLING)
    assert settle() == 1
    assert [event.human_probability >= 0.5 for event in _events(runtime)] == [True]
    delivered_at = clock.now()  # the gateway had scanned it before it took it
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(delivered_at=delivered_at))
        row = connection.execute(select(message)).one()
        event = message_event("message_delivered", row, delivered_at)
        append_events(connection, runtime.vault, workspace, [event], delivered_at)
    settle()
    assert [(event.reasons, event.human_probability >= 0.5) for event in _events(runtime)] == [(["at_delivery"], False)]


def test_a_verdict_stays_when_retention_has_taken_the_agent_it_was_made_by(
    runtime: Runtime, send_mail: SendMail, record: Record, clock: ManualClock
) -> None:
    mail = send_mail()
    record(mail, ActKind.OPENED)
    with runtime.database.transaction() as connection:
        connection.execute(update(engagement_event).values(agent=None))
    before = _events(runtime)[0]
    clock.advance(timedelta(days=400))
    record(mail, ActKind.CLICKED, 1)
    after = _events(runtime)[0]
    assert (after.human_probability, after.reasons) == (before.human_probability, before.reasons)


def test_nothing_is_recorded_when_the_message_is_unknown(runtime: Runtime, clock: ManualClock) -> None:
    with runtime.database.transaction() as connection:
        assert record_engagement(connection, [Engagement(1, Act(ActKind.OPENED, clock.now()))]) == 0
