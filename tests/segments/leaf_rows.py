"""Rows for orders, products, accounts and their members, with everything filled in that a test does not care about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.segments.people import DAY, NOW


def order_row(number: int, profile_id: int | None, placed_at: datetime, kind: str = "order") -> dict[str, Any]:
    return {
        "id": number,
        "transaction_no": 0,
        "key": f"shop:{number}",
        "kind": kind,
        "profile_id": profile_id,
        "placed_at": placed_at,
        "currency": "EUR",
        "total": 0,
        "line_count": 1,
    }


def line_row(order_id: int, sku: str, quantity: int, *, line_no: int = 1, kind: str = "product") -> dict[str, Any]:
    """A return has a negative `quantity`."""
    return {
        "order_id": order_id,
        "line_no": line_no,
        "kind": kind,
        "sku": sku,
        "quantity": quantity,
        "amount": 100 * quantity,
    }


def product_row(sku: str, category: str | None) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": sku,
        "category": category,
        "is_hidden": False,
        "is_replenishable": False,
        "attributes": {},
        "updated_at": NOW - 100 * DAY,
    }


def account_row(number: int, key: str, country: str | None = None, **attributes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "key": key,
        "name": key.title(),
        "country": country,
        "attributes": attributes,
        "created_at": NOW - 100 * DAY,
        "updated_at": NOW - 100 * DAY,
    }


def member_row(
    account_id: int, profile_id: int, role: str | None = None, until: datetime | None = None
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "profile_id": profile_id,
        "role": role,
        "since": NOW - 50 * DAY,
        "until": until,
    }
