from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core.clock import ManualClock
from core.database import Database
from core.runtime import Runtime
from customers.orders import NewLine, NewOrder, record_orders
from customers.tables import OrderKind
from customers.workspace import Workspace
from delivery.tables import MessageKind, message
from tests.tracking.conftest import BROWSER, Mail, SendMail
from tracking.attribution import WINDOW, credit_orders
from tracking.classify import Act, ActKind
from tracking.engagement import Engagement, record_engagement
from tracking.tables import conversion

Order = Callable[..., None]


@pytest.fixture
def order(runtime: Runtime, workspace: Workspace) -> Order:
    def place(key: str, profile_id: int | None, at: datetime, kind: OrderKind = OrderKind.ORDER) -> None:
        line = NewLine(1, "TEA-1", 1, 1250)
        new = NewOrder(f"shop:{key}", kind, profile_id, at, "GBP", [line])
        with runtime.database.transaction() as connection:
            record_orders(connection, runtime.vault, workspace, [new], source="shop", received_at=at)

    return place


def _click(runtime: Runtime, mail: Mail, at: datetime, agent: str = BROWSER) -> None:
    with runtime.database.transaction() as connection:
        record_engagement(connection, [Engagement(mail.token_id, Act(ActKind.CLICKED, at, agent, 1))])


def _credit(database: Database, now: datetime) -> list[Any]:
    with database.transaction() as connection:
        credit_orders(connection, now)
        return [
            (row.message_id, row.rule, row.amount, row.currency)
            for row in connection.execute(select(conversion).order_by(conversion.c.order_id))
        ]


def test_an_order_is_credited_to_the_last_click_of_a_person_when_there_is_one(
    runtime: Runtime, database: Database, send_mail: SendMail, order: Order, clock: ManualClock
) -> None:
    first, second, third = (send_mail(f"m-{number}") for number in (1, 2, 3))
    now = clock.now()
    _click(runtime, first, now + timedelta(hours=1))
    _click(runtime, second, now + timedelta(hours=2))
    _click(runtime, third, now + timedelta(hours=3), agent="curl/8")
    _click(runtime, third, now + timedelta(days=2))
    order("1", first.profile_id, now + timedelta(days=1))
    assert _credit(database, now + timedelta(days=3)) == [("m-2", "clicked", 1250, "GBP")]


def test_an_order_is_credited_to_the_last_delivered_mail_when_nobody_clicked(
    runtime: Runtime, database: Database, send_mail: SendMail, order: Order, clock: ManualClock
) -> None:
    mail = send_mail("m-1")
    receipt = send_mail("m-2")
    now = clock.now()
    with database.transaction() as connection:
        connection.execute(
            update(message)
            .where(message.c.id == receipt.message_id)
            .values(kind=MessageKind.TRANSACTIONAL, delivered_at=now)
        )
    order("1", mail.profile_id, now + timedelta(hours=1))
    assert _credit(database, now + timedelta(days=1)) == [("m-1", "delivered", 1250, "GBP")]


def test_the_window_is_half_open_when_an_order_comes_at_its_end(
    database: Database, send_mail: SendMail, order: Order, clock: ManualClock
) -> None:
    delivered_at = clock.now() - timedelta(hours=1)
    mail = send_mail("m-1")
    order("before", mail.profile_id, delivered_at - timedelta(microseconds=1))
    order("first", mail.profile_id, delivered_at)
    order("last", mail.profile_id, delivered_at + WINDOW - timedelta(microseconds=1))
    order("after", mail.profile_id, delivered_at + WINDOW)
    assert len(_credit(database, delivered_at + WINDOW)) == 2


def test_nothing_is_credited_twice_when_it_runs_again(
    runtime: Runtime, database: Database, send_mail: SendMail, order: Order, clock: ManualClock
) -> None:
    mail, now = send_mail(), clock.now()
    order("1", mail.profile_id, now)
    assert len(_credit(database, now)) == 1
    _click(runtime, mail, now - timedelta(minutes=1))
    assert _credit(database, now) == [("m-1", "delivered", 1250, "GBP")]
    order("2", mail.profile_id, now)
    assert _credit(database, now) == [("m-1", "delivered", 1250, "GBP"), ("m-1", "clicked", 1250, "GBP")]


def test_nobody_is_credited_when_an_order_is_a_return_a_strangers_or_anothers(
    database: Database, send_mail: SendMail, order: Order, clock: ManualClock
) -> None:
    mail, now = send_mail(), clock.now()
    with database.transaction() as connection:
        connection.execute(update(message).values(delivered_at=now - timedelta(days=8)))
    other = send_mail("m-2", "bob@shop.example")
    order("1", None, now)
    order("2", mail.profile_id, now)
    order("3", other.profile_id, now, OrderKind.RETURN)
    assert _credit(database, now) == []
