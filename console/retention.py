"""Letting go of what is older than `workspace.yaml` says: rows, or what in them leads to a person.

Consents, suppressions, orders, rights requests and the send ledger's own rows stay whatever their age, because they
are proof, accounts and counts. Keys of events stay as well, so that an old event that is sent again is not taken twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, func, or_, select, true, update

from console.rights.export_files import delete_old_exports
from core.clock import from_micros, to_micros
from core.cursors import Position, get_position, save_position
from core.durations import Duration, add_calendar
from core.runtime import Runtime
from customers.tables import customer_event
from customers.task_tables import UNFINISHED, task
from customers.touches import TouchKind, prune_touches, touch
from customers.workspace import Workspace, get_workspace
from delivery.tables import delivery_event, message
from journeys.tables import enrolment, entry_refusal
from recommender.tables import offer_code, offer_decision
from segments.mark import find_mark
from tracking.events.quarantine import destroy_old_day_keys
from tracking.pages.signing_up.taking import delete_unconfirmed
from tracking.tables import engagement_event

# Nothing is let go of sooner: links, feedback, caps and waits look back so far.
LEAST: Final[Mapping[str, Duration]] = {
    "events": Duration(months=1),
    "messages": Duration(months=3),  # a mail's links and its view in a browser go on working
    "engagement": Duration(months=1),
    "offers": Duration(months=1),
    "journeys": Duration(months=1),
    "tasks": Duration(months=1),
}

_BATCH = 1_000
_BATCHES = 500  # a run is bounded; the next one goes on
_LAST_RUN = "retention"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What becomes of old rows of one table under one word of `retention`.

    Rows are old by the instant `when`. With `values` they are emptied, without they are deleted; `still` tells those
    that were not emptied yet, and stands in a partial index. `by_arrival`: the id grows with `when`, and no index of
    `when` is needed.
    """

    word: str
    table: Table
    when: Column[Any]
    words: str
    still: ColumnElement[bool] = field(default_factory=true)
    values: Mapping[str, Any] = field(default_factory=dict)
    by_arrival: bool = False


SWEEPS: Final = (
    Sweep("events", customer_event, customer_event.c.received_at, "customer events deleted", by_arrival=True),
    Sweep(
        "messages",
        message,
        message.c.ended_at,
        "messages emptied of content and address",
        or_(message.c.context.is_not(None), message.c.lookup.is_not(None)),
        {"context": None, "links": None, "lookup": None, "recipient_domain": None},
    ),
    Sweep(
        "messages",
        delivery_event,
        delivery_event.c.received_at,
        "reports emptied of the provider's words",
        delivery_event.c.sealed_document.is_not(None),
        {"sealed_document": None},
    ),
    Sweep(
        "engagement",
        engagement_event,
        engagement_event.c.occurred_at,
        "opens and clicks emptied of the device",
        engagement_event.c.agent.is_not(None),
        {"agent": None, "reasons": []},
    ),
    Sweep(
        "offers",
        offer_decision,
        offer_decision.c.decided_at,
        "offers parted from their person",
        offer_decision.c.profile_id.is_not(None),
        {"profile_id": None, "origin_profile_id": None},
    ),
    Sweep(
        "offers",
        offer_code,
        offer_code.c.drawn_at,
        "voucher codes parted from their person",
        offer_code.c.profile_id.is_not(None),
        {"profile_id": None, "origin_profile_id": None, "code": None},
    ),
    Sweep(
        "journeys",
        enrolment,
        enrolment.c.ended_at,
        "journey runs emptied of what they carried",
        enrolment.c.sealed_state.is_not(None),
        {"sealed_state": None},
    ),
    Sweep("journeys", entry_refusal, entry_refusal.c.at, "refused entries deleted", by_arrival=True),
    Sweep(
        "tasks",
        task,
        task.c.closed_at,
        "tasks deleted",
        task.c.status.not_in(sorted(UNFINISHED)),
    ),
)


@dataclass(frozen=True, slots=True)
class Gone:
    """`count` rows older than `before` that went, or would go; `before` is None for what has a rule of its own."""

    word: str
    words: str
    count: int
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What one run came to. `is_all`: nothing old is left; otherwise the next run goes on."""

    gone: tuple[Gone, ...]
    is_all: bool = True


def find_old(connection: Connection, workspace: Workspace, now: datetime) -> list[Gone]:
    """What `keep_retention` would do at `now`."""
    found = []
    for sweep, before in _sweeps(workspace, now):
        query = select(func.count()).select_from(sweep.table).where(is_old(sweep, before))
        found.append(Gone(sweep.word, sweep.words, connection.execute(query).scalar_one(), before))
    return found


def keep_retention(runtime: Runtime, now: datetime, *, batch: int = _BATCH, batches: int = _BATCHES) -> Kept:
    """Let go of what is old, at most `batches` of `batch` rows under each word and table.

    For an edge: a transaction each batch, so that everything else goes on. Killed, the next run goes on. The keys of
    days gone by and forgotten exports go as well, whatever `retention` says.
    """
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    gone, is_all = [], True
    for sweep, before in _sweeps(workspace, now):
        count, is_through = _sweep(runtime, sweep, before, batch, batches)
        gone.append(Gone(sweep.word, sweep.words, count, before))
        is_all = is_all and is_through
    gone.append(
        Gone("quarantine", "refused events destroyed with the keys of their days", destroy_old_day_keys(runtime, now))
    )
    gone.append(Gone("sign_ups", "sign-ups that nobody confirmed deleted", delete_unconfirmed(runtime, now)))
    gone.append(Gone("exports", "copies made for people deleted", delete_old_exports(runtime, now)))
    with runtime.database.transaction() as connection:
        mark = find_mark(connection)
        prune_touches(connection, now, [mark.positions.touches] if mark is not None else [])
        save_position(connection, _LAST_RUN, Position(0, to_micros(now)))
    return Kept(tuple(gone), is_all)


def is_old(sweep: Sweep, before: datetime) -> ColumnElement[bool]:
    """Whether a row is one that `sweep` lets go of."""
    old = and_(sweep.when < before, sweep.still)
    return and_(old, _is_not_newest(sweep)) if sweep.by_arrival else old


def last_run(connection: Connection) -> datetime | None:
    """When `keep_retention` last came to its end."""
    micros = get_position(connection, _LAST_RUN).row_id
    return from_micros(micros) if micros else None


def _sweeps(workspace: Workspace, now: datetime) -> Iterator[tuple[Sweep, datetime]]:
    zone = ZoneInfo(workspace.timezone)
    for sweep in SWEEPS:
        length = workspace.retention.get(sweep.word)
        if length is not None:
            yield sweep, add_calendar(now, -length, zone)


def _sweep(runtime: Runtime, sweep: Sweep, before: datetime, batch: int, batches: int) -> tuple[int, bool]:
    """How many rows were let go of, and whether these were all."""
    total = 0
    for _ in range(batches):
        with runtime.database.transaction() as connection:
            found, is_through = _old_keys(connection, sweep, before, batch)
            _let_go(connection, sweep, found)
        total += len(found)
        if is_through:
            return total, True
    return total, False


def _old_keys(connection: Connection, sweep: Sweep, before: datetime, batch: int) -> tuple[list[Any], bool]:
    key = sweep.table.c.id
    if sweep.by_arrival:
        query = select(key, sweep.when).where(_is_not_newest(sweep)).order_by(key).limit(batch)
        first = connection.execute(query).all()
        old = [row[0] for row in first if row[1] < before]
        return old, len(old) < batch
    by_age = select(key).where(is_old(sweep, before)).order_by(sweep.when).limit(batch)
    keys = list(connection.execute(by_age).scalars())
    return keys, len(keys) < batch


def _let_go(connection: Connection, sweep: Sweep, keys: Iterable[Any]) -> None:
    chosen = sweep.table.c.id.in_(list(keys))
    if sweep.values:
        connection.execute(update(sweep.table).where(chosen).values(**sweep.values))
    else:
        owners = select(sweep.table.c.profile_id).where(chosen).distinct()
        touch(connection, connection.scalars(owners).all(), TouchKind.REWRITTEN)
        connection.execute(delete(sweep.table).where(chosen))


def _is_not_newest(sweep: Sweep) -> ColumnElement[bool]:
    """The newest row stays: SQLite would give its number to the next one, which readers believe to have read."""
    return sweep.table.c.id < select(func.max(sweep.table.c.id)).scalar_subquery()
