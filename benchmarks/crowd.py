"""A million people for the benchmarks, written directly: the rows that an import would have made, sealed.

Each has an e-mail address, an external id, attributes of both kinds, a consent, an event and, every fifth, an order;
one of them is busy and bears marked values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table

from core.bulk import insert_fresh
from core.clock import to_micros
from core.runtime import Runtime
from core.vault import Vault
from customers.addresses import email_domain
from customers.attributes import attribute_lookup
from customers.log import NewEvent, append_events
from customers.tables import (
    OrderKind,
    ProfileStatus,
    consent_entry,
    customer_event,
    customer_order,
    identity,
    profile,
    sealed_attribute,
)
from customers.workspace import get_workspace

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
WORKSPACE: Mapping[str, Any] = {
    "workspace": "bench",
    "timezone": "UTC",
    "currency": "GBP",
    "country": "GB",
    "attributes": {
        "first_name": {"kind": "text", "personal": True},
        "last_name": {"kind": "text", "personal": True},
        "birthday": {"kind": "date", "personal": True},
        "city": {"kind": "text", "personal": True},
        "tier": {"kind": "text"},
        "visits": {"kind": "number"},
        "score": {"kind": "number"},
        "is_vip": {"kind": "boolean"},
        "joined": {"kind": "date"},
        "shop": {"kind": "text"},
        "language": {"kind": "text"},
    },
    "events": {"page_viewed": {"properties": {"path": "text"}}},
    "topics": {"marketing": {"kind": "marketing"}},
}
_BATCH = 10_000
_NOW = to_micros(NOW)
_MINUTE = 60 * 1_000_000  # microseconds
_DAY = 24 * 60 * _MINUTE
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Crowd:
    """People 1 to `people`; `busy_id` is one of them, and `seconds` is what making them took."""

    people: int
    busy_id: int
    busy_email: str
    seconds: float = 0.0

    def email_of(self, number: int) -> str:
        return self.busy_email if number == self.busy_id else f"person{number}@mail{number % 97}.example"


def build_crowd(runtime: Runtime, people: int, entries: int, *, canaries: tuple[str, str]) -> Crowd:
    """Write `people`, the busy one with `entries` events; `canaries` are that one's first name and address."""
    begun = time.perf_counter()
    name, email = canaries
    crowd = Crowd(people, people // 2 + 1, email)
    for start in range(1, people + 1, _BATCH):
        numbers = range(start, min(start + _BATCH, people + 1))
        runtime.vault.prepare(numbers)
        with runtime.database.transaction() as connection:
            _write(connection, runtime.vault, crowd, numbers, name)
    _keep_busy(runtime, crowd, entries, name)
    return Crowd(people, crowd.busy_id, email, time.perf_counter() - begun)


def _write(connection: Connection, vault: Vault, crowd: Crowd, numbers: Sequence[int], busy_name: str) -> None:
    emails = {number: crowd.email_of(number) for number in numbers}
    names = {number: busy_name if number == crowd.busy_id else f"First{number % 4_001}" for number in numbers}
    lookups = {number: vault.blind_index("email", email) for number, email in emails.items()}
    _insert(connection, profile, [_profile(vault, number, emails[number], names[number]) for number in numbers])
    own = {"is_verified": False, "is_synthetic": False, "created_at": _NOW}
    addresses = [
        {
            **own,
            "profile_id": number,
            "kind": "email",
            "lookup": lookups[number],
            "sealed": vault.seal(number, "identity.email", email),
        }
        for number, email in emails.items()
    ]
    ids = [
        {**own, "profile_id": number, "kind": "external_id", "lookup": f"C{number:07d}", "sealed": None}
        for number in numbers
    ]
    _insert(connection, identity, addresses + ids)
    _insert(
        connection,
        sealed_attribute,
        [
            {
                "profile_id": number,
                "name": "first_name",
                "lookup": attribute_lookup(vault, "first_name", names[number]),
            }
            for number in numbers
        ],
    )
    _insert(connection, consent_entry, [_consent(number, lookups[number]) for number in numbers])
    _insert(connection, customer_event, [_event(number) for number in numbers])
    _insert(connection, customer_order, [_order(number) for number in numbers if number % 5 == 0])


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of plain driver values, all with the same columns."""
    if rows:
        insert_fresh(connection, table, list(rows[0]), [tuple(row.values()) for row in rows])


def _profile(vault: Vault, number: int, email: str, name: str) -> dict[str, Any]:
    sealed = {"first_name": name, "last_name": f"Last{number % 9_001}", "city": f"City {number % 501}"}
    return {
        "id": number,
        "status": ProfileStatus.ACTIVE.value,
        "created_at": _NOW,
        "updated_at": _NOW,
        "has_phone": False,
        "country": ("GB", "DE", "FR")[number % 3],
        "has_email": True,
        "email_provider": email_domain(email),
        "attributes": f'{{"tier":"{("gold", "plain")[number % 2]}","visits":{number % 250},"shop":"{number % 41}"}}',
        "sealed_attributes": vault.seal_document(number, "profile.sealed_attributes", sealed),
    }


def _consent(number: int, lookup: str) -> dict[str, Any]:
    return {
        "key": f"bench:{number}",
        "lookup": lookup,
        "profile_id": number,
        "channel": "email",
        "topic": "marketing",
        "status": "granted",
        "basis": "opt_in",
        "source": "import:bench",
        "occurred_at": _NOW - number % 700 * _DAY,
        "recorded_at": _NOW,
    }


def _event(number: int) -> dict[str, Any]:
    at = _NOW - number % 500_000 * _MINUTE
    return {
        "profile_id": number,
        "name": "page_viewed",
        "occurred_at": at,
        "received_at": at,
        "source": "web",
        "transaction_no": 0,
        "is_historical": False,
        "properties": f'{{"path":"/p/{number % 5_000}"}}',
    }


def _order(number: int) -> dict[str, Any]:
    return {
        "key": f"bench:{number}",
        "kind": OrderKind.ORDER.value,
        "transaction_no": 0,
        "profile_id": number,
        "placed_at": _NOW - number % 700 * _DAY,
        "currency": "GBP",
        "total": 1_000 + number % 9_000,
        "line_count": 1,
    }


def _keep_busy(runtime: Runtime, crowd: Crowd, entries: int, name: str) -> None:
    """What the busy one did: events with a sealed property each, through the log as ever."""
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        events = [
            NewEvent(
                "page_viewed",
                NOW - number * _HOUR,
                "web",
                f"busy:{number}",
                crowd.busy_id,
                {"path": f"/p/{number % 50}", "searched_for": f"{name} {number}"},
            )
            for number in range(entries)
        ]
        append_events(connection, runtime.vault, workspace, events, NOW)
