from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from core.cursors import Position
from core.database import Database
from core.vault import Vault
from customers.identities import resolve
from customers.log import NewEvent, append_events, open_properties, read_log
from customers.orders import NewLine, NewOrder, record_orders
from customers.suppression import find_suppressed, suppress
from customers.tables import IdentityKind, LineKind, OrderKind, customer_event, customer_order, order_line
from customers.workspace import Workspace
from tests.customers.conftest import NOW


def test_an_event_is_logged_once_when_it_comes_twice(database: Database, vault: Vault, workspace: Workspace) -> None:
    seen = NewEvent("product_viewed", NOW, "web", "e1", None, {"product_id": "TEA-001"})
    with database.transaction() as connection:
        assert append_events(connection, vault, workspace, [seen, seen], NOW) == 1
        assert append_events(connection, vault, workspace, [seen], NOW + timedelta(days=1)) == 0
    with database.read() as connection:
        logged, behind = read_log(connection, Position(), 10)
    assert [(one.name, one.properties, one.received_at) for one in logged] == [
        ("product_viewed", {"product_id": "TEA-001"}, NOW)
    ]
    assert behind.row_id == logged[0].id


def test_new_events_are_read_when_the_last_ones_were_deleted(
    database: Database, vault: Vault, workspace: Workspace
) -> None:
    first, second = (NewEvent("product_viewed", NOW, "web", key) for key in ("e1", "e2"))
    with database.transaction() as connection:
        append_events(connection, vault, workspace, [first], NOW)
    with database.read() as connection:
        _logged, behind = read_log(connection, Position(), 10)
    with database.transaction() as connection:
        connection.execute(delete(customer_event))
    with database.transaction() as connection:
        append_events(connection, vault, workspace, [second], NOW)
    with database.read() as connection:
        assert len(read_log(connection, behind, 10)[0]) == 1


def test_undeclared_properties_are_sealed_when_the_person_is_known(
    database: Database, vault: Vault, workspace: Workspace
) -> None:
    properties = {"product_id": "TEA-001", "note": "for my mother"}
    with database.transaction() as connection:
        alice = resolve(connection, vault, {IdentityKind.EXTERNAL_ID: "alice"}, NOW)
        events = [
            NewEvent("product_viewed", NOW, "web", "e1", alice, properties),
            NewEvent("product_viewed", NOW, "web", "e2", None, properties),
        ]
        append_events(connection, vault, workspace, events, NOW)
    with database.read() as connection:
        assert "mother" not in str(connection.execute(select(customer_event)).all())
        logged, _ = read_log(connection, Position(), 10, ["product_viewed"])
        assert read_log(connection, Position(), 10, ["order_placed"])[0] == []
    assert [open_properties(vault, one) for one in logged] == [properties, {"product_id": "TEA-001"}]


def test_an_order_is_stored_with_its_event_once_when_it_is_reported_again(
    database: Database, vault: Vault, workspace: Workspace
) -> None:
    lines = [NewLine(1, "TEA-001", 2, 900), NewLine(2, "TEA-001", 1, 450), NewLine(3, "POST", 1, 395, LineKind.FEE)]
    order = NewOrder("shop:1", OrderKind.ORDER, None, NOW, "GBP", lines)
    back = NewOrder("shop:2", OrderKind.RETURN, None, NOW, "GBP", [NewLine(1, "TEA-001", -1, -450)])
    for _ in range(2):
        with database.transaction() as connection:
            record_orders(connection, vault, workspace, [order, back, order], source="shop", received_at=NOW)
        with database.read() as connection:
            stored = connection.execute(select(customer_order).order_by(customer_order.c.key)).all()
            line_count = len(connection.execute(select(order_line)).all())
            logged, _ = read_log(connection, Position(), 10)
    assert [(one.key, one.kind, one.total, one.line_count) for one in stored] == [
        ("shop:1", "order", 1745, 3),
        ("shop:2", "return", -450, 1),
    ]
    assert line_count == 4
    assert {one.name: one.properties for one in logged} == {
        "order_placed": {
            "order_id": "shop:1",
            "total": 1745,
            "currency": "GBP",
            "item_count": 3,
            "skus": ["TEA-001"],
        },
        "order_returned": {
            "order_id": "shop:2",
            "total": -450,
            "currency": "GBP",
            "item_count": -1,
            "skus": ["TEA-001"],
        },
    }


def test_the_first_reason_stays_when_carol_is_suppressed_again(database: Database) -> None:
    with database.transaction() as connection:
        assert suppress(connection, "email", "carol", "bounced", "ses", NOW)
        assert not suppress(connection, "email", "carol", "manual", "console", NOW)
        assert find_suppressed(connection, "email", ["carol", "alice"]) == {"carol": "bounced"}
        assert find_suppressed(connection, "sms", ["carol"]) == {}


def test_text_is_composed_when_it_was_written_in_parts(database: Database, vault: Vault, workspace: Workspace) -> None:
    event = NewEvent("order_placed", NOW, "shop", "o1", properties={"order_id": "Cafe\u0301", "skus": ["e\u0301"]})
    with database.transaction() as connection:
        append_events(connection, vault, workspace, [event], NOW)
    with database.read() as connection:
        logged, _ = read_log(connection, Position(), 10)
    assert logged[0].properties == {"order_id": "Caf\u00e9", "skus": ["\u00e9"]}
