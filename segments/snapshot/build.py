"""The snapshot made from nothing: every table read once, in one view of the system of record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from core.runtime import Runtime
from segments.snapshot.extraction import Keys, declarations, extracting_from, found_in
from segments.snapshot.loading import load, select_from
from segments.snapshot.owned import Meta, Owned, open_file, own_snapshot, write_meta
from segments.snapshot.shape import Follows, Shape, shapes
from segments.snapshot.source import all_rows, positions_of, shared_view, write_rows
from segments.snapshot.status import SnapshotStatus, save_status
from segments.snapshot.words import first_row, quoted, text

if TYPE_CHECKING:
    import duckdb


_SCRATCH = "scratch"
_READERS = 2
_FREQUENT = 10_000  # rows


def build_snapshot(runtime: Runtime) -> SnapshotStatus:
    """Build the snapshot anew and publish it. Raises ConflictError while another process works on it."""
    with own_snapshot(runtime) as owned:
        build_in(owned, runtime)
        status = save_status(owned)
        owned.close()
        owned.folder.publish()
        return status


def build_in(owned: Owned, runtime: Runtime) -> None:
    """Build anew what is ours: it takes the place of what was there when it is complete, and is open afterwards."""
    owned.close()
    folder = owned.folder
    folder.clean()
    connection = open_file(folder.unfinished, folder)
    try:
        connection.execute(f"ATTACH {text(str(folder.scratch))} AS {_SCRATCH}")
        with shared_view(runtime, _READERS) as records:
            now = runtime.clock.now()
            positions = positions_of(records[0])
            _fill_all(connection, records, owned.keys)
        write_meta(connection, Meta(owned.form, now, now, positions))
        connection.execute("CHECKPOINT")
    finally:
        connection.close()
    folder.scratch.unlink(missing_ok=True)
    folder.accept()
    owned.connection = open_file(folder.working, folder)


def _fill_all(connection: duckdb.DuckDBPyConnection, records: Sequence[Connection], keys: Mapping[str, Keys]) -> None:
    """Fill all tables, one beside another for each of `records`; the log first, which takes longest."""
    waiting = deque(sorted(shapes(), key=lambda shape: shape.follows is not Follows.LOG))

    def work(record: Connection) -> None:
        with connection.cursor() as mine:
            while waiting:
                with suppress(IndexError):  # another has just taken the last
                    fill(mine, record, waiting.popleft(), keys)

    with ThreadPoolExecutor(len(records)) as readers:
        working = [readers.submit(work, record) for record in records]
        for one in working:
            one.add_done_callback(lambda ended: waiting.clear() if ended.exception() else None)
        for one in working:
            one.result()


def fill(connection: duckdb.DuckDBPyConnection, record: Connection, shape: Shape, keys: Mapping[str, Keys]) -> None:
    """Make the table of `shape` from all its rows."""
    columns = {column: shape.declaration(column) for column in shape.columns}
    of = keys.get(shape.name)
    table = _raw(shape) if of else quoted(shape.name)

    def statement(rows: str) -> str:
        ordered = f" ORDER BY {shape.order}" if shape.order else ""
        known = " WHERE lookup IS NOT NULL" if shape.follows is Follows.CONSENT else ""  # of an address that is there
        return f"CREATE TABLE {table} AS {select_from(rows, columns)}{known}{ordered}"

    load(connection, statement, columns, partial(write_rows, record, all_rows(shape)))
    if of:
        _extract(connection, shape, of)
        connection.execute(f"DROP TABLE {_raw(shape)}")


def _extract(connection: duckdb.DuckDBPyConnection, shape: Shape, keys: Keys) -> None:
    """Make the table of `shape` from the raw rows, a name after the other: each has a few members alone."""
    name, raw = quoted(shape.name), _raw(shape)
    sources = [f"(SELECT * FROM {raw} WHERE {some})" for some in _parts_of(connection, shape)]
    found = {source: found_in(connection, source, keys) for source in sources}
    columns = declarations(keys, {key for some in found.values() for key in some})
    added = "".join(f", CAST(NULL AS {kind}) AS {quoted(column)}" for column, kind in columns.items())
    connection.execute(f"CREATE TABLE {name} AS SELECT *{added} FROM {raw} LIMIT 0")
    for source in sources:
        connection.execute(f"INSERT INTO {name} BY NAME {extracting_from(source, keys, found[source])}")
    _drop_empty(connection, shape.name, columns)


def _parts_of(connection: duckdb.DuckDBPyConnection, shape: Shape) -> list[str]:
    """The conditions that part the raw rows: frequent names by themselves, the others together."""
    if "name" not in shape.columns:
        return ["true"]
    rows = connection.execute(
        f"SELECT name FROM {_raw(shape)} GROUP BY name HAVING count(*) > {_FREQUENT} ORDER BY name"
    ).fetchall()
    names = [text(name) for (name,) in rows]
    others = f"name NOT IN ({', '.join(names)})" if names else "true"
    return [*(f"name = {name}" for name in names), others]


def _raw(shape: Shape) -> str:
    return f"{_SCRATCH}.{quoted(shape.name)}"


def _drop_empty(connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str]) -> None:
    """Leave out the columns in which nothing stands: a question for them is answered without looking."""
    names = list(columns)
    if not names:
        return
    counted = ", ".join(f"count({quoted(name)})" for name in names)
    for name, count in zip(names, first_row(connection, f"SELECT {counted} FROM {quoted(table)}"), strict=True):
        if not count:
            connection.execute(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(name)}")
