"""The customer log: what happened, once each, in the order in which it became known.

Upper packages append to it and read it by cursor. Properties that are declared stand in clear; others, and values of
another kind than the declared one, count as personal and are sealed under the profile, or left out while nobody is
known. Nothing in the log is ever changed.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from core.bulk import insert_few
from core.clock import to_micros
from core.cursors import Position, current_transaction, read_after
from core.vault import Vault
from customers.event_departures import count_departures, find_departures, fits
from customers.own_events import OWN_EVENTS
from customers.tables import customer_event, event_key
from customers.workspace import Workspace

_log = logging.getLogger("postilion.customers")
_COLUMN = "customer_event.properties"
_OWN_COLUMNS = ("profile_id", "name", "occurred_at", "received_at", "source", "is_historical", "properties")
_encode = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened. `key` names the happening: two events with one key are the same event."""

    name: str
    occurred_at: datetime
    source: str
    key: str
    profile_id: int | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    is_historical: bool = False
    visitor_id: int | None = None  # the visitor by whom alone it is known whose it is


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One entry; `properties` are the plain ones, `open_properties` adds the sealed ones."""

    id: int
    profile_id: int | None
    name: str
    occurred_at: datetime
    received_at: datetime
    properties: Mapping[str, Any]
    is_historical: bool
    sealed_properties: bytes | None = field(default=None, repr=False)
    origin_profile_id: int | None = None  # whose it was before a merge, and whose key seals it


def append_events(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    events: Sequence[NewEvent],
    received_at: datetime,
    *,
    batch_id: int | None = None,
) -> int:
    """Append the events whose key is new, in the order given; answers how many those were.

    `batch_id` is the import that brings them.
    """
    fresh = _fresh(connection, events, received_at, batch_id)
    if fresh:
        said = ((event.name, event.properties) for event in fresh if event.name not in OWN_EVENTS)
        count_departures(connection, find_departures(workspace, said), received_at)
        rows = _rows(vault, workspace, fresh, received_at)
        values = [(*row.values(), batch_id) for row in rows]
        computed = {"transaction_no": current_transaction(connection)}
        insert_few(connection, customer_event, (*rows[0], "batch_id"), values, computed=computed)
    return len(fresh)


def append_own_events(connection: Connection, events: Sequence[NewEvent], received_at: datetime) -> int:
    """`append_events` for those that Postilion writes itself: nothing in them is personal, so nothing is sealed.

    Delivery writes one a message, so that it counts what an insert costs.
    """
    first_by_key: dict[str, NewEvent] = {}
    for event in events:
        first_by_key.setdefault(event.key, event)
    at = to_micros(received_at)
    keys = [(key, at) for key in first_by_key]
    new = set(insert_few(connection, event_key, ("key", "received_at"), keys, returning="key"))
    rows = [
        (
            event.profile_id,
            event.name,
            to_micros(event.occurred_at),
            at,
            event.source,
            event.is_historical,
            _encode(event.properties).decode(),
        )
        for key, event in first_by_key.items()
        if key in new
    ]
    computed = {"transaction_no": current_transaction(connection)}
    insert_few(connection, customer_event, _OWN_COLUMNS, rows, computed=computed)
    return len(rows)


def read_log(
    connection: Connection, position: Position, limit: int, names: Iterable[str] | None = None
) -> tuple[list[LoggedEvent], Position]:
    """The next events in commit order (only those called one of `names`, where given), and the position behind."""
    where = [] if names is None else [customer_event.c.name.in_(sorted(names))]
    rows, behind = read_after(connection, customer_event, position, limit=limit, where=where)
    return [logged_event(row) for row in rows], behind


def open_properties(vault: Vault, event: LoggedEvent) -> dict[str, Any]:
    """All properties, sealed ones included. Raises NotFoundError when the profile was erased."""
    if event.sealed_properties is None or event.profile_id is None:
        return dict(event.properties)
    owner = event.origin_profile_id or event.profile_id
    return {**event.properties, **vault.open_document(owner, _COLUMN, event.sealed_properties)}


def _fresh(
    connection: Connection, events: Sequence[NewEvent], received_at: datetime, batch_id: int | None = None
) -> list[NewEvent]:
    """Those whose key is new, each once; their keys are taken from now on."""
    first_by_key: dict[str, NewEvent] = {}
    for event in events:
        first_by_key.setdefault(event.key, event)
    at = to_micros(received_at)
    keys = [(key, at, batch_id) for key in first_by_key]
    new = set(insert_few(connection, event_key, ("key", "received_at", "batch_id"), keys, returning="key"))
    return [event for key, event in first_by_key.items() if key in new]


def _rows(
    vault: Vault, workspace: Workspace, events: Sequence[NewEvent], received_at: datetime
) -> list[dict[str, Any]]:
    rows, to_seal, dropped_count = [], [], 0
    for event in events:
        plain = {name: _composed(value) for name, value in _declared(workspace, event)}
        personal = len(plain) < len(event.properties)
        row = _row(event, plain, received_at)
        rows.append(row)
        if personal and event.profile_id is None:
            dropped_count += 1
        elif personal:
            rest = {name: value for name, value in event.properties.items() if name not in plain}
            to_seal.append((row, event.profile_id, rest))
    vault.prepare(profile_id for _row, profile_id, _rest in to_seal if profile_id is not None)
    for row, profile_id, rest in to_seal:
        if profile_id is not None:
            row["sealed_properties"] = vault.seal_document(profile_id, _COLUMN, rest)
    if dropped_count:
        _log.info("%d events of unknown people: their undeclared properties were left out", dropped_count)
    return rows


def _declared(workspace: Workspace, event: NewEvent) -> Iterator[tuple[str, Any]]:
    """The properties that may stand in clear: those that are declared, with a value of the declared kind."""
    own = OWN_EVENTS.get(event.name)
    if own is not None:
        yield from ((name, value) for name, value in event.properties.items() if name in own.properties)
        return
    spec = workspace.events.get(event.name)
    kinds = spec.properties if spec else {}
    for name, value in event.properties.items():
        kind = kinds.get(name)
        if kind is not None and fits(kind, value):
            yield name, value


def _row(event: NewEvent, plain: Mapping[str, Any], received_at: datetime) -> dict[str, Any]:
    """The columns and their values, as the driver takes them."""
    return {
        "profile_id": event.profile_id,
        "name": event.name,
        "occurred_at": to_micros(event.occurred_at),
        "received_at": to_micros(received_at),
        "source": event.source,
        "is_historical": event.is_historical,
        "properties": _encode(plain).decode(),
        "sealed_properties": None,
        "visitor_id": event.visitor_id,
    }


def _composed(value: Any) -> Any:
    """Text in NFC, because databases compare code points and conditions are written in NFC."""
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    return [_composed(item) for item in value] if isinstance(value, list) else value


def logged_event(row: Any) -> LoggedEvent:
    """A row of `customer_event` as a value."""
    return LoggedEvent(
        row.id,
        row.profile_id,
        row.name,
        row.occurred_at,
        row.received_at,
        row.properties,
        row.is_historical,
        row.sealed_properties,
        row.origin_profile_id,
    )
