"""Why somebody was refused at the door, with what was found: from the refusal, the runs, and the event that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from core.database import batches
from customers.tables import customer_event
from journeys.admission import Refusal
from journeys.explain import REFUSALS
from journeys.explaining.clock import lasted, told
from journeys.wording.conditions import condition_in_words
from journeys.wording.entries import entries_of
from journeys.wording.versions import Version

_BATCH = 500

Document = Mapping[str, Any]


def read_causes(connection: Connection, refusals: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    """The events that brought people to the door, by id."""
    ids = sorted({row.event_id for row in refusals if row.event_id is not None})
    event, found = customer_event.c, {}
    for some in batches(ids, _BATCH):
        query = select(event.id, event.name, event.occurred_at, event.received_at).where(event.id.in_(some))
        found.update({row.id: row for row in connection.execute(query)})
    return found


def refusal_in_words(
    row: Row[Any], version: Version | None, runs: Sequence[Row[Any]], cause: Row[Any] | None, zone: ZoneInfo
) -> str:
    """One refusal without a full stop. `runs` are all runs of this profile in this journey, oldest first."""
    document: Document = version.document if version is not None else {}
    before = [run for run in runs if run.entered_at <= row.at]
    said = _with_what_was_found(row.reason, document, before, row.at, cause, zone)
    brought = f"{cause.name} of {told(cause.occurred_at, zone)}: " if cause is not None else ""
    return f"{brought}{said or REFUSALS.get(row.reason, row.reason.replace('_', ' '))}"


def _with_what_was_found(
    reason: str, document: Document, runs: Sequence[Row[Any]], at: datetime, cause: Row[Any] | None, zone: ZoneInfo
) -> str:
    reenter = document.get("reenter", {})
    match reason:
        case Refusal.LATE if cause is not None:
            late = cause.received_at - cause.occurred_at
            came = f"arrived {lasted(late)} after it happened" if late.total_seconds() > 0 else "lies in the future"
            return f"it {came}, and `max_age` is {_entry_for(document, cause).get('max_age', '24h')}"
        case Refusal.CONDITION if "if" in _entry_for(document, cause):
            return f"this did not hold then: {condition_in_words(_entry_for(document, cause)['if'])}"
        case Refusal.NO_KEY:
            return f"it has no property {_entry_for(document, cause).get('key', 'for the key')}, which keeps runs apart"
        case Refusal.ACTIVE:
            active = [run for run in runs if run.ended_at is None or run.ended_at > at]
            since = f" since {told(active[-1].entered_at, zone)}" if active else ""
            return f"a run was active{since}, and the journey is `mode: {document.get('mode', 'single')}`"
        case Refusal.NEVER if runs:
            return f"came in already on {told(runs[-1].entered_at, zone)}, and nobody comes twice (`reenter: never`)"
        case Refusal.TOO_SOON if runs and isinstance(reenter, Mapping) and "every" in reenter:
            return f"came in last on {told(runs[-1].entered_at, zone)}, and `reenter.every` is {reenter['every']}"
        case Refusal.TOO_OFTEN if runs and isinstance(reenter, Mapping):
            times = "once" if len(runs) == 1 else f"{len(runs)} times"
            return f"came in {times} already, and `reenter.max` is {reenter.get('max')}"
    return ""


def _entry_for(document: Document, cause: Row[Any] | None) -> Document:
    """The way in that the event of `cause` stands for."""
    entries = entries_of(document) if document else []
    for entry in entries:
        names = entry.get("event", ())
        if cause is not None and cause.name in ([names] if isinstance(names, str) else names):
            return entry
    return next((entry for entry in entries if cause is None or "event" not in entry), {})
