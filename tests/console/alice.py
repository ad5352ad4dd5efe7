"""Alice's life with a shop, as the tests of timeline, API and page tell it: orders, mails, a complaint, a journey."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from core.definitions import publish
from core.vault import Vault
from customers.account_tables import account, account_member
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.log import NewEvent, append_events
from customers.orders import NewLine, NewOrder, record_orders
from customers.profiles import set_attributes
from customers.rights_tables import rights_request
from customers.tables import IdentityKind, OrderKind, product
from customers.task_tables import task
from customers.workspace import Workspace, parse_workspace
from journeys.tables import enrolment
from segments.tables import membership

EMAIL = "alice@example.org"
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NOW = START + timedelta(days=40)
WORKSPACE: Mapping[str, Any] = {
    "workspace": "shop",
    "name": "Fern & Kettle",
    "timezone": "Europe/London",
    "currency": "GBP",
    "country": "GB",
    "topics": {
        "marketing": {"name": "Letters and offers", "kind": "marketing"},
        "transactional": {"name": "About your orders", "kind": "transactional"},
    },
    "attributes": {
        "first_name": {"kind": "text", "personal": True},
        "last_name": {"kind": "text", "personal": True},
        "city": {"kind": "text", "personal": True},
        "vip": {"kind": "boolean"},
    },
    "events": {
        "product_viewed": {"properties": {"product_id": "text", "category": "text"}},
        "cart_updated": {"properties": {"value": "number", "items": "number"}},
    },
}


def publish_workspace(connection: Connection) -> Workspace:
    publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=START)
    return parse_workspace(WORKSPACE)


def live(connection: Connection, vault: Vault, workspace: Workspace) -> int:
    """Write it all down; answers her profile's number."""
    identifiers = {
        IdentityKind.EXTERNAL_ID: "C-1042",
        IdentityKind.EMAIL: EMAIL,
        IdentityKind.PHONE: "+447700900123",
    }
    alice = resolve(connection, vault, identifiers, START)
    assert alice is not None
    attributes = {
        "first_name": "Alice",
        "last_name": "Archer",
        "city": "Bath",
        "vip": True,
        "timezone": "Europe/London",
    }
    set_attributes(connection, vault, workspace, alice, attributes, START)
    _stock(connection)
    _agree(connection, vault, alice)
    _order(connection, vault, workspace, alice)
    append_events(connection, vault, workspace, [_event(alice, *told) for told in _TOLD], NOW)
    _join(connection, vault, alice)
    return alice


_MAIL = {"message_id": "m-1", "channel": "email", "origin_kind": "campaign", "origin": "spring", "variant": "plain"}
_TEXT = {"message_id": "m-2", "channel": "sms", "origin_kind": "journey", "origin": "abandoned_cart", "step": "text"}
_CART = {"journey": "abandoned_cart", "version": 1}
_TOLD: tuple[tuple[float, str, Mapping[str, Any]], ...] = (
    (0.0, "signed_up", {"source": "shop", "newsletter_box": "ticked"}),
    (3.0, "product_viewed", {"product_id": "tea-01", "category": "tea"}),
    (9.0, "message_sent", _MAIL),
    (9.001, "message_delivered", _MAIL),
    (9.002, "message_opened", {**_MAIL, "is_human": False}),
    (9.35, "message_opened", {**_MAIL, "is_human": True}),
    (9.351, "link_clicked", {**_MAIL, "is_human": True, "link_tag": "hero"}),
    (9.352, "offer_shown", {"offer": "cross_sell", "sku": "pot-02", "surface": "email"}),
    (9.36, "cart_updated", {"value": 42.5, "items": 2}),
    (9.4, "journey_entered", _CART),
    (9.44, "message_skipped", {**_TEXT, "reason": "consent"}),
    (10.2, "goal_reached", _CART),
    (10.2, "journey_exited", {**_CART, "reason": "goal"}),
    (11.0, "segment_entered", {"segment": "likely_to_churn"}),
    (24.0, "task_created", {"task_id": "t-1", "kind": "complaint", "team": "care"}),
    (30.0, "message_bounced", {**_MAIL, "message_id": "m-3", "sub_kind": "transient_mailbox_full"}),
)


def _event(alice: int, days: float, name: str, properties: Mapping[str, Any]) -> NewEvent:
    return NewEvent(name, START + timedelta(days=days), "shop", f"{name}:{days}", alice, properties)


def _stock(connection: Connection) -> None:
    rows = [
        {"sku": "tea-01", "name": "Darjeeling First Flush", "updated_at": START},
        {"sku": "pot-02", "name": "Cast-iron teapot", "updated_at": START},
        {"sku": "cup-03", "name": "Two cups, celadon", "updated_at": START},
    ]
    connection.execute(insert(product), [{**row, "attributes": {}} for row in rows])


def _agree(connection: Connection, vault: Vault, alice: int) -> None:
    lookup = lookup_of(vault, "email", EMAIL)
    grant = NewConsent(
        lookup,
        "email",
        "marketing",
        ConsentStatus.GRANTED,
        Basis.DOUBLE_OPT_IN,
        "sign-up form",
        START + timedelta(minutes=4),
        alice,
        "consent:1",
        text_version="2026-01",
    )
    phone = lookup_of(vault, "phone", "+447700900123")
    leave = NewConsent(
        phone, "sms", "*", ConsentStatus.WITHDRAWN, None, "STOP", START + timedelta(days=5), alice, "consent:2"
    )
    record_consents(connection, [grant, leave], NOW)


def _order(connection: Connection, vault: Vault, workspace: Workspace, alice: int) -> None:
    first = NewOrder(
        "shop:2231",
        OrderKind.ORDER,
        alice,
        START + timedelta(days=10.2),
        "GBP",
        [NewLine(1, "tea-01", 2, 2500), NewLine(2, "pot-02", 1, 4250)],
    )
    back = NewOrder(
        "shop:2231-R", OrderKind.RETURN, alice, START + timedelta(days=23), "GBP", [NewLine(1, "pot-02", -1, -4250)]
    )
    record_orders(connection, vault, workspace, [first, back], source="shop", received_at=NOW)


def _join(connection: Connection, vault: Vault, alice: int) -> None:
    at = START + timedelta(days=24)
    connection.execute(insert(membership).values(segment="likely_to_churn", profile_id=alice, entered_at=at))
    connection.execute(
        insert(enrolment).values(
            uid="e-1",
            journey="welcome",
            version=1,
            profile_id=alice,
            key="",
            status="active",
            step="wait_3d",
            entered_at=at,
        )
    )
    connection.execute(
        insert(task).values(
            id="t-1",
            kind="complaint",
            status="open",
            profile_id=alice,
            sealed_title=vault.seal(alice, "task.title", "The spout drips"),
            team="care",
            priority="high",
            due_at=at + timedelta(days=2),
            created_at=at,
            updated_at=at,
        )
    )
    company = {"key": "A-7", "name": "Archer & Daughters Ltd", "created_at": at, "updated_at": at}
    number = connection.execute(insert(account).values(company).returning(account.c.id)).scalar_one()
    connection.execute(insert(account_member).values(account_id=number, profile_id=alice, role="buyer", since=at))
    connection.execute(
        insert(rights_request).values(
            profile_id=alice,
            kind="export",
            status="open",
            requested_at=START + timedelta(days=35),
            due_at=START + timedelta(days=66),
            requested_by="letter",
        )
    )
