"""The next batch of events for a webhook, and the body that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, literal, tuple_

from core.cursors import Position, latest_position, read_after
from core.ids import derived_id
from core.vault import Vault
from customers.tables import customer_event
from customers.workspace import WebhookSpec
from tracking.outgoing.documents import SCHEMA, Wanted, event_documents
from tracking.outgoing.endpoints import EndpointState
from tracking.outgoing.following import is_behind

_MOST_EVENTS: Final = 1_000  # of a batch whose end is known; the schema allows no more
_encode = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes out in one call; without events there is none, and the place moves to `end`."""

    id: str
    end: Position
    event_count: int
    body: bytes


def read_batch(connection: Connection, vault: Vault, spec: WebhookSpec, state: EndpointState) -> Batch | None:
    """The batch under way, else the next one; None when nothing is new."""
    wanted = Wanted(spec.events, spec.is_personal)
    if state.batch_id is not None and state.batch_end is not None:
        end = state.batch_end
        event = customer_event.c
        up_to = tuple_(event.transaction_no, event.id) <= tuple_(literal(end.transaction_no), literal(end.row_id))
        rows, _ = read_after(
            connection, customer_event, state.position, limit=_MOST_EVENTS, where=[up_to, *wanted.where]
        )
        return _batch(connection, vault, rows, wanted, state.batch_id, end)
    rows, end = read_after(connection, customer_event, state.position, limit=spec.batch, where=wanted.where)
    if not rows:
        latest = latest_position(connection, customer_event)
        if not is_behind(latest, state.position):
            return None
        # What was wanted may have come in between the two: up to `latest` it is seen now.
        rows, end = read_after(connection, customer_event, state.position, limit=spec.batch, where=wanted.where)
        if not rows:
            return Batch("", latest, 0, b"")
    return _batch(connection, vault, rows, wanted, derived_id("webhook", state.name, *_place(rows[0]), end), end)


def body_of(call_type: str, documents: list[dict[str, Any]]) -> bytes:
    """JSON of type, schema and events; `type` is `events`, or `test` for an example."""
    return _encode({"type": call_type, "schema": SCHEMA, "events": documents})


def _batch(
    connection: Connection, vault: Vault, rows: list[Row[Any]], wanted: Wanted, batch_id: str, end: Position
) -> Batch:
    documents = event_documents(connection, vault, rows, wanted)
    return Batch(batch_id, end, len(documents), body_of("events", documents) if documents else b"")


def _place(row: Row[Any]) -> tuple[int, int]:
    return row._transaction_no, row._row_id
