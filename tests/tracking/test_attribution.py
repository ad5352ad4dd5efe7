from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from core.clock import ManualClock
from core.cursors import cursor_position
from core.database import Database
from core.definitions import publish
from core.ids import random_token_id
from core.runtime import Runtime
from customers.orders import NewLine, NewOrder, record_orders
from customers.tables import OrderKind, customer_order, order_line
from customers.workspace import Workspace
from delivery.tables import MessageKind, message
from tests.tracking.conftest import BROWSER, WORKSPACE_DOCUMENT, Mail, SendMail
from tracking.attribution import WINDOW, credit_orders
from tracking.classify import Act, ActKind
from tracking.engagement import Engagement, record_engagement
from tracking.tables import conversion, engagement_event

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


def test_the_workspace_says_how_long_an_order_counts_when_it_writes_windows(
    runtime: Runtime, database: Database, send_mail: SendMail, order: Order, clock: ManualClock
) -> None:
    tracking = {"attribution": {"after_click": "1d", "after_delivery": "0d"}}
    with database.transaction() as connection:
        document = {**WORKSPACE_DOCUMENT, "tracking": tracking}
        publish(connection, "workspace", "shop", document=document, source="1", file="w.yaml", now=clock.now())
    mail, now = send_mail(), clock.now()
    order("only delivered", mail.profile_id, now)
    _click(runtime, mail, now + timedelta(hours=1))
    order("clicked", mail.profile_id, now + timedelta(hours=2))
    order("too late", mail.profile_id, now + timedelta(hours=25))
    assert _credit(database, now + timedelta(days=3)) == [("m-1", "clicked", 1250, "GBP")]


def test_a_return_takes_its_credit_back_when_its_order_was_credited(
    runtime: Runtime, database: Database, workspace: Workspace, send_mail: SendMail, clock: ManualClock
) -> None:
    first, second = send_mail("m-1"), send_mail("m-2")
    now = clock.now()
    _click(runtime, first, now)

    def place(key: str, hours: int, kind: OrderKind, *lines: tuple[str, int]) -> None:
        new = [NewLine(number, sku, 1 if amount > 0 else -1, amount) for number, (sku, amount) in enumerate(lines, 1)]
        at = now + timedelta(hours=hours)
        with database.transaction() as connection:
            orders = [NewOrder(f"shop:{key}", kind, first.profile_id, at, "GBP", new)]
            record_orders(connection, runtime.vault, workspace, orders, source="shop", received_at=at)

    place("1", 1, OrderKind.ORDER, ("TEA-1", 1250), ("POT-1", 3000))
    _click(runtime, second, now + timedelta(hours=2))
    place("2", 3, OrderKind.ORDER, ("TEA-1", 1250))
    place("r0", 0, OrderKind.RETURN, ("TEA-1", -1250))  # before anything was bought
    place("r1", 4, OrderKind.RETURN, ("POT-1", -3000), ("GONE-1", -500))
    place("r2", 5, OrderKind.RETURN, ("TEA-1", -9999))
    _credit(database, now + timedelta(days=1))
    place("r3", 6, OrderKind.RETURN, ("TEA-1", -1250))
    place("r4", 7, OrderKind.RETURN, ("TEA-1", -1250))
    assert _credit(database, now + timedelta(days=1)) == [
        ("m-1", "clicked", 4250, "GBP"),
        ("m-2", "clicked", 1250, "GBP"),
        ("m-1", "returned", -3000, "GBP"),
        ("m-2", "returned", -1250, "GBP"),
        ("m-1", "returned", -1250, "GBP"),
    ]


_HOURS = st.integers(0, 400)
_LINES = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 5_000)), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orders=st.lists(st.tuples(st.booleans(), _HOURS, _LINES), max_size=6),
    clicks=st.lists(st.tuples(st.integers(0, 2), _HOURS), max_size=5),
    cuts=st.sets(st.integers(0, 6)),
)
def test_never_more_than_an_orders_value_is_credited_when_anything_happens_in_any_order(
    runtime: Runtime,
    database: Database,
    workspace: Workspace,
    send_mail: SendMail,
    clock: ManualClock,
    orders: list[tuple[bool, int, list[tuple[str, int]]]],
    clicks: list[tuple[int, int]],
    cuts: set[int],
) -> None:
    with database.transaction() as connection:
        for table in (conversion, engagement_event, order_line, customer_order, cursor_position):
            connection.execute(delete(table))
    mails, start = [send_mail(f"m-{random_token_id()}") for _ in range(3)], clock.now()
    for number, hours in clicks:
        _click(runtime, mails[number], start + timedelta(hours=hours))
    end = start + timedelta(hours=500)
    for number, (is_return, hours, lines) in enumerate(orders):
        sign = -1 if is_return else 1
        new = [NewLine(place, sku, sign, sign * amount) for place, (sku, amount) in enumerate(lines, 1)]
        kind, at = OrderKind.RETURN if is_return else OrderKind.ORDER, start + timedelta(hours=hours)
        with database.transaction() as connection:
            one = NewOrder(f"shop:{random_token_id()}", kind, mails[0].profile_id, at, "GBP", new)
            record_orders(connection, runtime.vault, workspace, [one], source="shop", received_at=at)
        if number in cuts:
            _credit(database, end)
    _credit(database, end)
    before = _credit(database, end)
    with database.read() as connection:
        totals = dict(connection.execute(select(customer_order.c.id, customer_order.c.total)).tuples().all())
        credited = connection.execute(select(conversion)).all()
    assert _credit(database, end) == before
    for credit in credited:
        if credit.rule != "returned":
            assert credit.amount == totals[credit.order_id]
            taken = sum(other.amount for other in credited if other.returns_order_id == credit.order_id)
            assert 0 <= credit.amount + taken <= totals[credit.order_id]
        else:
            assert totals[credit.order_id] <= credit.amount < 0


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
