"""The system of record as a stream: rows as CSV, made by the database itself and never by Python, one by one.

The columns are parted by 0x1F and texts are quoted by 0x02, which no JSON contains; an empty field is NULL, an empty
text is quoted. Everything is read in one transaction with one view, so that the tables agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import Connection

from core.cursors import RESTORED, Position, get_position, latest_position
from core.runtime import Runtime
from customers.tables import customer_event, customer_order, profile_touch
from segments.snapshot.shape import ADDRESS_KINDS, KIND_OF_CHANNEL, Follows, Shape

_ROWS_A_STRETCH = 5_000
_PEOPLE_A_STRETCH = 1_000
_TOUCHED = "snapshot_touched"


@dataclass(frozen=True, slots=True)
class Positions:
    """How far the log, the orders and the touches were read; `restored` tells of the last restore."""

    events: Position
    orders: Position
    touches: Position
    restored: Position


@contextmanager
def one_view(runtime: Runtime) -> Iterator[Connection]:
    """A reading transaction in which every query sees the same."""
    with runtime.database.read() as connection:
        if not runtime.database.is_sqlite:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield connection


@contextmanager
def shared_view(runtime: Runtime, count: int) -> Iterator[list[Connection]]:
    """`count` reading transactions that all see the same, to be read beside each other."""
    database = runtime.database
    with ExitStack() as stack:
        if database.is_sqlite:
            with database.transaction():  # nobody writes while they begin
                connections = [stack.enter_context(database.read()) for _ in range(count)]
                for connection in connections:
                    connection.exec_driver_sql("SELECT 1 FROM sqlite_schema").fetchall()
        else:
            connections = [stack.enter_context(database.read()) for _ in range(count)]
            view = None
            for connection in connections:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                if view is None:
                    view = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
                else:
                    connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{view}'")
        yield connections


def positions_of(connection: Connection) -> Positions:
    """The positions behind everything that is safely read; what lies behind them is read again next time."""
    return Positions(
        latest_position(connection, customer_event),
        latest_position(connection, customer_order),
        latest_position(connection, profile_touch),
        get_position(connection, RESTORED),
    )


@dataclass(frozen=True, slots=True)
class Source:
    """Some rows of a table: `tables` and `where` are what stands in SQL, `walk` a number that parts them on SQLite."""

    shape: Shape
    tables: str
    where: Sequence[str]
    walk: str
    rows_a_stretch: int = _ROWS_A_STRETCH


def all_rows(shape: Shape) -> Source:
    return Source(shape, f"{shape.name} t", _conditions(shape), f"t.{shape.walk}" if shape.walk else "")


def rows_behind(connection: Connection, shape: Shape, position: Position) -> Source:
    """What came into a table that is read by cursor."""
    return Source(shape, f"{shape.name} t", [*_conditions(shape), _behind(connection, "t", position)], "t.id")


def rows_with(shape: Shape, column: str, values: Sequence[str]) -> Source:
    """The rows that have one of `values` in `column`."""
    among = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return Source(shape, f"{shape.name} t", [*_conditions(shape), f"t.{column} IN ({among})"], f"t.{shape.walk}")


def rows_of_touched(shape: Shape) -> Source:
    """The rows of the people named by `name_touched`."""
    # SQLite joins what is joined by CROSS in this order: first the people, who are few.
    if shape.follows is Follows.CONSENT:
        tables = f"{_TOUCHED} c CROSS JOIN identity i CROSS JOIN {shape.name} t"
        joined = [
            f"i.profile_id = c.profile_id AND i.kind IN {ADDRESS_KINDS}",
            f"t.lookup = i.lookup AND i.kind = {KIND_OF_CHANNEL}",
        ]
    else:
        tables = f"{_TOUCHED} c CROSS JOIN {shape.name} t"
        joined = [f"t.{shape.person} = c.profile_id"]
    return Source(shape, tables, [*joined, *_conditions(shape)], "c.place", _PEOPLE_A_STRETCH)


def lines_behind(connection: Connection, shape: Shape, position: Position) -> Source:
    """The lines of the orders that came."""
    tables = f"customer_order o CROSS JOIN {shape.name} t"
    return Source(shape, tables, [_behind(connection, "o", position), "t.order_id = o.id"], "o.id")


def lines_of_touched(shape: Shape) -> Source:
    tables = f"{_TOUCHED} c CROSS JOIN customer_order o CROSS JOIN {shape.name} t"
    joined = ["o.profile_id = c.profile_id", "t.order_id = o.id"]
    return Source(shape, tables, joined, "c.place", _PEOPLE_A_STRETCH)


def name_touched(connection: Connection, profile_ids: Sequence[int]) -> None:
    """Whose rows `rows_of_touched` finds, in this transaction."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_TOUCHED}")
    # Without a key, so that SQLite begins with these and looks up the others.
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_TOUCHED} (place INTEGER, profile_id BIGINT)")
    driver: Any = connection.connection.driver_connection
    rows = enumerate(profile_ids, start=1)
    if connection.dialect.name == "sqlite":
        driver.executemany(f"INSERT INTO {_TOUCHED} VALUES (?, ?)", rows)
        return
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY {_TOUCHED} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"ANALYZE {_TOUCHED}")


def write_rows(connection: Connection, source: Source, out: BinaryIO) -> None:
    """Write the rows of `source` to `out` as CSV."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        for chunk in _lines_of_sqlite(driver, source):
            out.write(chunk)
            out.write(b"\n")
        return
    with driver.cursor() as cursor, cursor.copy(_copy_of_postgresql(source)) as copy:
        for chunk in copy:
            out.write(chunk)


def _behind(connection: Connection, table: str, position: Position) -> str:
    if connection.dialect.name == "sqlite":  # where the transaction is always 0
        return f"{table}.id > {position.row_id}"
    return f"({table}.transaction_no, {table}.id) > ({position.transaction_no}, {position.row_id})"


def _conditions(shape: Shape) -> list[str]:
    return [shape.where] if shape.where else []


def _lines_of_sqlite(driver: Any, source: Source) -> Iterator[bytes]:
    shape, where = source.shape, list(source.where)
    line = "||x'1f'||".join(_field(shape, column) for column in shape.columns)
    if not source.walk:
        along = f" ORDER BY {shape.along}" if shape.along else ""
        rows = driver.execute(f"SELECT CAST({line} AS BLOB) FROM {source.tables}{_where(where)}{along}")
        while some := rows.fetchmany(_ROWS_A_STRETCH):
            yield b"\n".join(one for (one,) in some)
        return
    chunks = f"SELECT CAST(group_concat({line}, x'0a') AS BLOB) FROM {source.tables}"
    bounds = f"SELECT min({source.walk}), max({source.walk}) FROM {source.tables}{_where(where)}"
    first, last = driver.execute(bounds).fetchone()
    if first is None:
        return
    stretch = chunks + _where([*where, f"{source.walk} >= ?", f"{source.walk} < ?"])
    for start in range(first, last + 1, source.rows_a_stretch):
        (chunk,) = driver.execute(stretch, (start, start + source.rows_a_stretch)).fetchone()
        if chunk is not None:
            yield chunk


def _field(shape: Shape, column: str) -> str:
    value = shape.expression(column)
    if column in shape.computed:
        return f"coalesce({value}, '')"
    if shape.is_text(column):
        value = f"x'02'||replace({value}, x'02', x'0202')||x'02'"
    elif shape.is_double(column):
        value = f"printf('%!.17g', {value})"
    return value if not shape.table.c[column].nullable else f"coalesce({value}, '')"


def _copy_of_postgresql(source: Source) -> str:
    shape = source.shape
    columns = ", ".join(f'{shape.expression(column)} AS "{column}"' for column in shape.columns)
    texts = ", ".join(f'"{one}"' for one in shape.columns if shape.is_text(one) and one not in shape.computed)
    forced = f", FORCE_QUOTE ({texts})" if texts else ""
    return (
        f"COPY (SELECT {columns} FROM {source.tables}{_where(source.where)}) TO STDOUT "
        f"WITH (FORMAT csv, DELIMITER E'\\x1f', QUOTE E'\\x02'{forced})"
    )


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
