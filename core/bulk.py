"""Very many rows into one table, as fast as each driver can; what is there already is passed over or updated.

For importers and whatever else writes by the ten thousand. Values are those of the driver (instants in microseconds,
documents as JSON text), because turning them one by one is what makes ordinary inserts slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from types import MappingProxyType, NoneType
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Dialect, Table, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from core.database import batches

PASS_OVER = "DO NOTHING"

_NOTHING: Mapping[str, str] = MappingProxyType({})

# Long statements leave the interpreter to other threads while they run, and SQLite knows at most 32,766 parameters.
_ROWS_A_STATEMENT = 500
_PARAMETERS = 30_000


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    on_conflict: str = PASS_OVER,
) -> int:
    """Insert `rows` of plain driver values, no two with one key; answers how many were inserted or updated.

    `on_conflict` is what stands after ON CONFLICT, in words that both databases know.
    """
    if not rows:
        return 0
    if connection.dialect.name == "sqlite":
        return sum(
            connection.exec_driver_sql(statement, values).rowcount
            for statement, values in _statements(_name(connection, table), columns, rows, f" ON CONFLICT {on_conflict}")
        )
    with _passage(connection, table, columns, rows) as cursor:
        cursor.execute(_from_passage(connection, table, columns, on_conflict))
        written_count: int = cursor.rowcount
    return written_count


def insert_missing(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, key: str
) -> list[Any]:
    """Insert the `rows` that are not there yet; answers the `key` of each that was new."""
    if not rows:
        return []
    if connection.dialect.name == "sqlite":
        ending = f" ON CONFLICT {PASS_OVER} RETURNING {key}"
        found: list[Any] = []
        for statement, values in _statements(_name(connection, table), columns, rows, ending):
            found += connection.exec_driver_sql(statement, values).scalars().all()
        return found
    with _passage(connection, table, columns, rows) as cursor:
        cursor.execute(f"{_from_passage(connection, table, columns, PASS_OVER)} RETURNING {key}")
        return [value for (value,) in cursor.fetchall()]


def insert_fresh(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert `rows` of which none can be there: without looking for conflicts, straight into the table."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        for statement, values in _statements(_name(connection, table), columns, rows, ""):
            connection.exec_driver_sql(statement, values)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        _copy(cursor, _name(connection, table), columns, rows)


def insert_few(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    returning: str | None = None,
    computed: Mapping[str, str] = _NOTHING,
    on_conflict: str = PASS_OVER,
) -> list[Any]:
    """`insert_rows` for a few, where a COPY would cost more than it saves.

    Answers `returning` of those that were new. `computed` has columns that the database works out, by their words.
    """
    if not rows:
        return []
    names, name, worked_out = (*columns, *computed), _name(connection, table), tuple(computed.values())
    ending = f" ON CONFLICT {on_conflict}{f' RETURNING {returning}' if returning else ''}"
    if connection.dialect.name == "sqlite":
        statements = _statements(name, names, rows, ending, worked_out)
    else:
        into = f"INSERT INTO {name} ({', '.join(names)}) SELECT {', '.join(('given.*', *worked_out))} FROM "
        given = _given(connection.dialect, table, tuple(columns))
        statements = iter([(f"{into}{given}{ending}", _by_column(rows))])
    found: list[Any] = []
    for statement, values in statements:
        result = connection.exec_driver_sql(statement, values)
        found += result.scalars().all() if returning else ()
    return found


def update_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    also: str = "",
    where: str,
    parameters: tuple[Any, ...] = (),
) -> list[Any]:
    """Set `columns` of each row to its own plain driver values, in one statement; answers the keys of those that were.

    The first of `columns` is the key. A column written `name?` keeps what it has where the value is None. `also` has
    further assignments and `where` the condition, in words that both databases know, with `?` for its `parameters`.
    """
    updated: list[Any] = []
    is_sqlite, name = connection.dialect.name == "sqlite", _name(connection, table)
    for some in batches(rows, _ROWS_A_STATEMENT):
        count = len(some) if is_sqlite else None
        statement = _update_statement(connection.dialect, table, name, tuple(columns), count, also, where)
        values = tuple(chain.from_iterable(some)) if is_sqlite else _by_column(some)
        updated += connection.exec_driver_sql(statement, values + parameters).scalars().all()
    return updated


def set_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Set `columns` of each row to its own plain driver values; the first of them is the key."""
    if not rows:
        return
    name = _name(connection, table)
    if connection.dialect.name == "sqlite":
        sets = ", ".join(f"{column} = ?" for column in columns[1:])
        statement = f"UPDATE {name} SET {sets} WHERE {columns[0]} = ?"
        connection.exec_driver_sql(statement, [(*row[1:], row[0]) for row in rows])
        return
    statement = _update_statement(connection.dialect, table, name, tuple(columns), None, "", "true")
    connection.exec_driver_sql(statement, _by_column(rows))


def reserve_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """The next `count` ids of a table that never gives one twice; on SQLite the writing transaction holds them."""
    if connection.dialect.name == "sqlite":
        query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        last = connection.exec_driver_sql(query, (table.name,)).scalar() or 0
        return list(range(last + 1, last + 1 + count))
    query = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return list(connection.exec_driver_sql(query, (table.name, count)).scalars())


def among(connection: Connection, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """`column IN values` for thousands of texts or numbers: one parameter instead of one each."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(msgspec.json.encode(values).decode()).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(literal(list(values), ARRAY(column.type)))


@lru_cache(maxsize=1024)
def _update_statement(
    dialect: Dialect, table: Table, name: str, columns: tuple[str, ...], count: int | None, also: str, where: str
) -> str:
    """`count` is how many rows stand in a statement of SQLite, which does not know their types."""
    given = (
        f"(VALUES {', '.join([_marks(len(columns))] * count)}) AS given" if count else _given(dialect, table, columns)
    )
    sets = []
    for number, column in enumerate(columns[1:], start=2):
        plain = column.removesuffix("?")
        value = f"given.column{number}"
        if count:
            value = f"CAST({value} AS {table.c[plain].type.compile(dialect)})"
        sets.append(f"{plain} = {value if plain == column else f'coalesce({value}, {name}.{plain})'}")
    key = f"{name}.{columns[0]}"
    return (
        f"UPDATE {name} SET {', '.join([*sets, also] if also else sets)} FROM {given} "
        f"WHERE {key} = given.column1 AND {where if count else where.replace('?', '%s')} RETURNING {key}"
    )


@lru_cache(maxsize=256)
def _given(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> str:
    """Rows as one array a column, for PostgreSQL: the statement is the same however many they are, so that neither
    driver nor server reads it anew.
    """
    types = [table.c[column.removesuffix("?")].type.compile(dialect) for column in columns]
    # A cast to VARCHAR(n) would cut what is too long in silence.
    arrays = ", ".join(f"%s::{'TEXT' if of.startswith('VARCHAR') else of}[]" for of in types)
    return f"unnest({arrays}) AS given({', '.join(f'column{number}' for number in range(1, len(columns) + 1))})"


def _by_column(rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    return tuple(map(_array, zip(*rows, strict=True)))


def _array(values: Sequence[Any]) -> str:
    """PostgreSQL's text of an array. The driver would write it too, at 15 µs a document and 50 µs a sealed value."""
    return f"{{{','.join([(_WRITTEN.get(type(value)) or _writer_for(value))(value) for value in values])}}}"


def _writer_for(value: Any) -> Callable[[Any], str]:
    """For a value of a kind derived from one that is known, such as a StrEnum."""
    return next(write for kind, write in _WRITTEN.items() if isinstance(value, kind))


_WRITTEN: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        NoneType: lambda _: "NULL",
        bool: str,
        int: str,
        float: str,
        str: lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"',
        bytes: lambda data: f'"\\\\x{data.hex()}"',
    }
)


def _marks(count: int) -> str:
    return f"({', '.join('?' * count)})"


def _statements(
    name: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    ending: str,
    computed: tuple[str, ...] = (),
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """INSERTs of many rows each for SQLite, with their parameters."""
    size = min(_ROWS_A_STATEMENT, _PARAMETERS // len(columns))
    into = f"INSERT INTO {name} ({', '.join(columns)}) VALUES "
    marks = f"({', '.join(('?',) * (len(columns) - len(computed)) + computed)})"
    waiting = iter(rows)
    whole = f"{into}{', '.join([marks] * size)}{ending}"
    while some := list(islice(waiting, size)):
        statement = whole if len(some) == size else f"{into}{', '.join([marks] * len(some))}{ending}"
        yield statement, tuple(chain.from_iterable(some))


@contextmanager
def _passage(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> Iterator[Any]:
    """COPY knows no ON CONFLICT: it fills a table of this transaction, from which the rows are taken."""
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_passage_name(table)} ON COMMIT DELETE ROWS AS "
        f"SELECT * FROM {_name(connection, table)} WITH NO DATA"
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        _copy(cursor, _passage_name(table), columns, rows)
        yield cursor
        cursor.execute(f"TRUNCATE {_passage_name(table)}")


def _passage_name(table: Table) -> str:
    return f"incoming_{table.name}"


def _from_passage(connection: Connection, table: Table, columns: Sequence[str], on_conflict: str) -> str:
    names = ", ".join(columns)
    return (
        f"INSERT INTO {_name(connection, table)} ({names}) "
        f"SELECT {names} FROM {_passage_name(table)} ON CONFLICT {on_conflict}"
    )


def _copy(cursor: Any, table_name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {table_name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _name(connection: Connection, table: Table) -> str:
    """The table's name, in the schema that this connection keeps it in."""
    schema = connection.get_execution_options().get("schema_translate_map", {}).get(table.schema)
    return f"{schema}.{table.name}" if schema else table.name
