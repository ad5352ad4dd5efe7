"""The shop of these tests, and rows for its people with everything filled in that a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from customers.workspace import AttributeSpec, EventSpec, Topic, ValueKind, Workspace

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
DAY = timedelta(days=1)

SHOP = Workspace(
    slug="shop",
    name="Shop",
    timezone="Europe/Berlin",
    currency="EUR",
    country="DE",
    attributes={
        "tier": AttributeSpec(ValueKind.TEXT),
        "points": AttributeSpec(ValueKind.NUMBER),
        "tags": AttributeSpec(ValueKind.LIST),
        "member_since": AttributeSpec(ValueKind.DATE),
        "latitude": AttributeSpec(ValueKind.NUMBER),
        "longitude": AttributeSpec(ValueKind.NUMBER),
        "birthday": AttributeSpec(ValueKind.DATE, is_personal=True),
        "it's 100%": AttributeSpec(ValueKind.TEXT),
        "first_name": AttributeSpec(ValueKind.TEXT, is_personal=True),
    },
    events={
        "cart_updated": EventSpec({"total": ValueKind.NUMBER, "sku": ValueKind.TEXT, "sent_at": ValueKind.INSTANT}),
        "signed_up": EventSpec({"source": ValueKind.TEXT}),
    },
    topics={"marketing": Topic("Marketing", "marketing"), "service": Topic("Service", "transactional")},
)


def profile_row(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": number,
        "status": "active",
        "merged_into": None,
        "created_at": NOW - 100 * DAY,
        "updated_at": NOW - 100 * DAY,
        "timezone": None,
        "country": None,
        "locale": None,
        "has_email": False,
        "email_provider": None,
        "has_phone": False,
        "phone_country": None,
        "birth_month": None,
        "birth_day": None,
        "attributes": {},
    } | values


def event_row(
    number: int, profile_id: int | None, name: str, occurred_at: datetime, **properties: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "transaction_no": 0,
        "profile_id": profile_id,
        "name": name,
        "occurred_at": occurred_at,
        "received_at": occurred_at,
        "source": "test",
        "is_historical": False,
        "properties": properties,
    }


def identity_row(number: int, profile_id: int, kind: str, lookup: str) -> dict[str, Any]:
    return {
        "id": number,
        "profile_id": profile_id,
        "kind": kind,
        "lookup": lookup,
        "is_verified": True,
        "is_synthetic": False,
        "created_at": NOW - 100 * DAY,
    }


def consent_row(
    number: int, lookup: str, channel: str, topic: str, status: str, occurred_at: datetime
) -> dict[str, Any]:
    return {
        "id": number,
        "key": f"consent:{number}",
        "lookup": lookup,
        "profile_id": None,
        "channel": channel,
        "topic": topic,
        "status": status,
        "basis": None,
        "source": "test",
        "text_version": None,
        "occurred_at": occurred_at,
        "recorded_at": occurred_at,
        "expires_at": None,
    }


def message_row(number: int, profile_id: int, origin: str, **values: Any) -> dict[str, Any]:
    return {
        "id": f"message-{number}",
        "kind": "marketing",
        "channel": "email",
        "profile_id": profile_id,
        "topic": "marketing",
        "template": f"{origin}_mail",
        "template_hash": None,
        "sender": None,
        "origin_kind": "campaign",
        "origin": origin,
        "origin_id": f"launch-{origin}",
        "step": None,
        "variant": None,
        "decision_id": None,
        "priority": 50,
        "policy": {},
        "status": "sent",
        "reason": None,
        "detail": None,
        "due_at": NOW - 2 * DAY,
        "first_due_at": NOW - 2 * DAY,
        "expires_at": None,
        "attempt_count": 1,
        "sent_at": NOW - 2 * DAY,
        "ended_at": NOW - 2 * DAY,
        "token_id": number,
        "created_at": NOW - 2 * DAY,
        "delivered_at": NOW - 2 * DAY,
        "bounced_at": None,
        "complained_at": None,
    } | values


def score_row(name: str, profile_id: int, value: float, computed_at: datetime = NOW - DAY) -> dict[str, Any]:
    return {"name": name, "profile_id": profile_id, "value": value, "computed_at": computed_at}


def task_row(number: int, profile_id: int | None, kind: str, status: str) -> dict[str, Any]:
    return {
        "id": f"task-{number}",
        "kind": kind,
        "status": status,
        "profile_id": profile_id,
        "sealed_title": b"",
        "team": None,
        "assignee": None,
        "priority": "normal",
        "due_at": None,
        "outcome": None,
        "origin_kind": None,
        "created_at": NOW - DAY,
        "updated_at": NOW - DAY,
        "closed_at": None,
    }


def engagement_row(
    number: int, message_number: int, profile_id: int, kind: str, human_probability: float, **values: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "transaction_no": 0,
        "message_id": f"message-{message_number}",
        "profile_id": profile_id,
        "kind": kind,
        "link_no": None,
        "link_tag": None,
        "occurred_at": NOW - DAY,
        "human_probability": human_probability,
        "reasons": [],
        "agent": None,
    } | values
