"""The snapshot brought up to date: what came since, and everything small about whoever was touched.

New log entries and orders are found by their position. People in `profile_touch`, and those of whom the log says that
something else changed, have their other rows read again; who was rewritten has log and orders read again too. One
transaction holds the rows and the positions, so that whatever happens the file agrees with one moment of the system of
record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from core.cursors import Position, behind
from core.runtime import Runtime
from customers.own_events import OWN_EVENTS
from customers.tables import profile_touch
from customers.touches import KEPT, TouchKind
from segments.snapshot.build import build_in
from segments.snapshot.extraction import extracting_from, found_in
from segments.snapshot.loading import load, select_from
from segments.snapshot.owned import Meta, Owned, read_meta, write_meta
from segments.snapshot.shape import Follows, Shape, shapes
from segments.snapshot.source import (
    Positions,
    Source,
    all_rows,
    lines_behind,
    lines_of_touched,
    name_touched,
    one_view,
    positions_of,
    rows_behind,
    rows_of_touched,
    rows_with,
    write_rows,
)
from segments.snapshot.status import save_status
from segments.snapshot.words import first_row, quoted, text

if TYPE_CHECKING:
    import duckdb

_MARGIN = timedelta(hours=2)  # touches are kept for KEPT; before they may have gone, everything is read anew
_FEW = 10_000  # so many people are never too many for a delta
_TELLING = ("message_", "link_", "consent_", "unsubscribed", "task_", "profile_")
_SHARE = 5  # beyond one in so many, building anew is quicker


@dataclass(frozen=True, slots=True)
class DeltaResult:
    """Of `touched` people everything small was read again; `rebuilt` tells that everything was, and why."""

    touched: int
    events: int
    orders: int
    rebuilt: str | None
    brought_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class _Touched:
    """Whose rows changed; of `rewritten` also those of the log and of orders."""

    changed: frozenset[int]
    rewritten: frozenset[int]

    @property
    def everybody(self) -> list[int]:
        return sorted(self.changed | self.rewritten)


class _TooManyError(Exception):
    """So many people were touched that building anew is quicker."""


def bring_up_to_date(owned: Owned, runtime: Runtime) -> DeltaResult:
    """Let `owned` agree with the system of record as it is now; it is built anew where no delta can do that."""
    started = time.perf_counter()
    with one_view(runtime) as record:
        now, positions = runtime.clock.now(), positions_of(record)
        cause = _why_anew(owned, positions, now)
        if cause is None:
            try:
                found = _apply(owned, record, read_meta(owned.opened), positions, now)
                save_status(owned)
                return DeltaResult(*found, None, now, time.perf_counter() - started)
            except _TooManyError:
                cause = "too many people were touched"
    build_in(owned, runtime)
    save_status(owned)
    brought_at = read_meta(owned.opened).brought_at
    return DeltaResult(0, 0, 0, cause, brought_at, time.perf_counter() - started)


def _why_anew(owned: Owned, positions: Positions, now: datetime) -> str | None:
    if owned.connection is None:
        return "there was no file, or it was damaged or outdated"
    meta = read_meta(owned.connection)
    if now - meta.brought_at > KEPT - _MARGIN:
        return "it was too old"
    if positions.restored != meta.positions.restored:
        return "the system of record was restored"
    return None


def _order(position: Position) -> tuple[int, int]:
    return position.transaction_no, position.row_id


def _furthest(then: Positions, now: Positions) -> Positions:
    """Whichever is further: the newest rows may have been deleted, and their numbers never return."""
    return Positions(
        max(then.events, now.events, key=_order),
        max(then.orders, now.orders, key=_order),
        max(then.touches, now.touches, key=_order),
        now.restored,
    )


def _apply(owned: Owned, record: Connection, meta: Meta, positions: Positions, now: datetime) -> tuple[int, int, int]:
    connection, then = owned.opened, meta.positions
    of = {shape.name: shape for shape in shapes()}
    event, order = of["customer_event"], of["customer_order"]
    _stage(connection, record, event, rows_behind(record, event, then.events))
    _stage(connection, record, order, rows_behind(record, order, then.orders))
    changed, rewritten = _touched_since(record, then.touches)
    changed |= _told_of(connection, event)
    changed |= _sharing(connection, changed | rewritten)
    touched = _Touched(frozenset(changed), frozenset(rewritten))
    everybody = touched.everybody
    total = _count(connection, "profile")
    if len(everybody) > _FEW and len(everybody) * _SHARE > total:
        raise _TooManyError
    counts = len(everybody), _count(connection, _staged(event)), _count(connection, _staged(order))
    _read_again(connection, record, of.values(), touched, then)
    _make_room(connection, owned, of.values())
    connection.execute("BEGIN")
    try:
        for shape in of.values():
            _replace(connection, shape)
        write_meta(connection, Meta(meta.form, meta.built_at, now, _furthest(then, positions)))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return counts


def _touched_since(record: Connection, position: Position) -> tuple[set[int], set[int]]:
    row = profile_touch.c
    changed: set[int] = set()
    rewritten: set[int] = set()
    since = select(row.first_id, row.last_id, row.kind).where(behind(record, profile_touch, position))
    for first, last, kind in record.execute(since):
        (rewritten if kind == TouchKind.REWRITTEN else changed).update(range(first, last + 1))
    return changed, rewritten


def _told_of(connection: duckdb.DuckDBPyConnection, events: Shape) -> set[int]:
    """The people of whom the log alone says that rows outside it changed: those of their messages, consents, tasks."""
    telling = ", ".join(text(name) for name in OWN_EVENTS if name.startswith(_TELLING))
    told = f"SELECT DISTINCT profile_id FROM {_staged(events)} WHERE profile_id IS NOT NULL AND name IN ({telling})"
    return {number for (number,) in connection.execute(told).fetchall()}


def _sharing(connection: duckdb.DuckDBPyConnection, people: Iterable[int]) -> set[int]:
    """Who shares an address with them: an address is called by the lowest id that has it, which may have gone."""
    _name_people(connection, "touched", sorted(people))
    rows = connection.execute(
        "SELECT DISTINCT other.profile_id FROM identity mine JOIN identity other USING (kind, lookup) "
        "WHERE mine.profile_id IN (SELECT id FROM touched) AND other.profile_id <> mine.profile_id"
    ).fetchall()
    return {number for (number,) in rows}


def _name_people(connection: duckdb.DuckDBPyConnection, table: str, people: Sequence[int]) -> None:
    import numpy as np

    numbers = np.array(people, dtype=np.int64)
    connection.register("given_people", {"id": numbers})
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT id FROM given_people")
    connection.unregister("given_people")


def _read_again(
    connection: duckdb.DuckDBPyConnection,
    record: Connection,
    all_shapes: Iterable[Shape],
    touched: _Touched,
    then: Positions,
) -> None:
    """Stage what replaces the rows of the touched; new log entries and orders are staged already."""
    rewritten = sorted(touched.rewritten)
    _name_people(connection, "touched", touched.everybody)
    _name_people(connection, "rewritten", rewritten)
    _note_old(connection)
    few = [shape for shape in all_shapes if shape.follows in (Follows.PERSON, Follows.CONSENT)]
    log = [shape for shape in all_shapes if shape.follows in (Follows.LOG, Follows.ORDER)]
    name_touched(record, touched.everybody)
    for shape in few:
        _stage(connection, record, shape, rows_of_touched(shape))
    for shape in all_shapes:
        if shape.follows is Follows.WHOLE:
            _stage(connection, record, shape, all_rows(shape))
        elif shape.follows is Follows.LINE:
            _stage(connection, record, shape, lines_behind(record, shape, then.orders))
    for shape in few:
        _read_renewed(connection, record, shape)
    if not rewritten:
        return
    name_touched(record, rewritten)
    for shape in log:
        _stage(connection, record, shape, rows_of_touched(shape), more=True)
    for shape in all_shapes:
        if shape.follows is Follows.LINE:
            _stage(connection, record, shape, lines_of_touched(shape), more=True)


def _note_old(connection: duckdb.DuckDBPyConnection) -> None:
    """The addresses and orders as they were: what hangs on them goes, although they themselves are replaced first."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE old_address AS "
        "SELECT DISTINCT lookup FROM identity WHERE profile_id IN (SELECT id FROM touched)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE old_order AS "
        "SELECT id FROM customer_order WHERE profile_id IN (SELECT id FROM rewritten)"
    )


def _read_renewed(connection: duckdb.DuckDBPyConnection, record: Connection, shape: Shape) -> None:
    """Stage all rows of what was reckoned again for everybody; the runs are staged already."""
    if shape.run is None:
        return
    run, key = shape.run
    rows = connection.execute(
        f"SELECT coalesce(new.{key}, old.{key}) FROM new_{run} new FULL JOIN {run} old USING ({key}) "
        "WHERE new.revision IS DISTINCT FROM old.revision"
    ).fetchall()
    renewed = [name for (name,) in rows]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE renewed_{shape.name} (name VARCHAR)")
    if renewed:
        connection.executemany(f"INSERT INTO renewed_{shape.name} VALUES (?)", [[name] for name in renewed])
        _stage(connection, record, shape, rows_with(shape, key, renewed), more=True)


def _stage(
    connection: duckdb.DuckDBPyConnection, record: Connection, shape: Shape, source: Source, *, more: bool = False
) -> None:
    """The rows of `source` into a temporary table, anew or beside those that are there."""
    columns = {column: shape.declaration(column) for column in shape.columns}
    into = f"INSERT INTO {_staged(shape)}" if more else f"CREATE OR REPLACE TEMP TABLE {_staged(shape)} AS"
    statement: Callable[[str], str] = lambda rows: f"{into} {select_from(rows, columns)}"  # noqa: E731
    load(connection, statement, columns, partial(write_rows, record, source))


def _staged(shape: Shape) -> str:
    return quoted(f"new_{shape.name}")


def _make_room(connection: duckdb.DuckDBPyConnection, owned: Owned, all_shapes: Iterable[Shape]) -> None:
    """Take the members out of staged documents, and add the columns that nothing stood in before."""
    for shape in all_shapes:
        keys = owned.keys.get(shape.name)
        if keys is None:
            continue
        staged = _staged(shape)
        rows = extracting_from(staged, keys, found_in(connection, staged, keys))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {staged} AS {rows}")
        known = _columns(connection, shape.name)
        for column, kind in _columns(connection, f"new_{shape.name}").items():
            if column in known:
                continue
            if _has_any(connection, staged, column):
                connection.execute(f"ALTER TABLE {quoted(shape.name)} ADD COLUMN {quoted(column)} {kind}")
            else:
                connection.execute(f"ALTER TABLE {staged} DROP COLUMN {quoted(column)}")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    rows = connection.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [table])
    return dict(rows.fetchall())


def _has_any(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    query = f"SELECT 1 FROM {table} WHERE {quoted(column)} IS NOT NULL LIMIT 1"
    return bool(connection.execute(query).fetchall())


def _replace(connection: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Put what is staged in the place of what it replaces."""
    name, staged = quoted(shape.name), _staged(shape)
    for gone in _GONE[shape.follows]:
        connection.execute(f"DELETE FROM {name} WHERE {gone.format(person=quoted(shape.person), staged=staged)}")
    if shape.run is not None:
        key = shape.run[1]
        connection.execute(f"DELETE FROM {name} WHERE {key} IN (SELECT name FROM renewed_{shape.name})")
    connection.execute(f"INSERT INTO {name} BY NAME SELECT DISTINCT * FROM {staged}")


_GONE = {
    Follows.WHOLE: ["true"],
    Follows.PERSON: ["{person} IN (SELECT id FROM touched)"],
    Follows.CONSENT: [
        "lookup IN (SELECT lookup FROM old_address)",
        "id IN (SELECT id FROM {staged})",
    ],
    Follows.LOG: ["id IN (SELECT id FROM {staged})", "profile_id IN (SELECT id FROM rewritten)"],
    Follows.ORDER: ["id IN (SELECT id FROM {staged})", "profile_id IN (SELECT id FROM rewritten)"],
    Follows.LINE: [
        "order_id IN (SELECT id FROM old_order)",
        "order_id IN (SELECT id FROM new_customer_order)",
        "order_id IN (SELECT order_id FROM {staged})",
    ],
}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(first_row(connection, f"SELECT count(*) FROM {table}")[0])
