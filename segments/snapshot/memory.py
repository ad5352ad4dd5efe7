"""A snapshot in memory, filled with rows by hand: for a handful of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, Select, Table

from core.columns import Document
from segments.compiling.dialects import NOTHING_EXTRACTED
from segments.snapshot.dialect import DuckDBDialect, to_duckdb
from segments.snapshot.extraction import Keys, extracted_of, extracting_from, found_in
from segments.snapshot.words import quoted

if TYPE_CHECKING:
    import duckdb


class Snapshot:
    """Tables copied into memory, and rules run on them. `keys` are the members of documents that get own columns."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, keys: Mapping[str, Keys]) -> None:
        self._connection = connection
        self._keys = keys

    def load(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make `table` anew and fill it with `rows` (names to Python values); sealed columns are left out."""
        dialect = DuckDBDialect()
        columns = [column for column in table.columns if not isinstance(column.type, LargeBinary)]
        declared = ", ".join(f"{quoted(one.name)} {_type_of(one.type, dialect)}" for one in columns)
        self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(table.name)} ({declared})")
        binders = [column.type.bind_processor(dialect) or _as_it_is for column in columns]
        values = [[bind(row.get(one.name)) for one, bind in zip(columns, binders, strict=True)] for row in rows]
        if values:
            places = ", ".join("?" for _ in columns)
            self._connection.executemany(f"INSERT INTO {quoted(table.name)} VALUES ({places})", values)
        keys = self._keys.get(table.name)
        if keys:
            name = quoted(table.name)
            whole = extracting_from(name, keys, found_in(self._connection, name, keys))
            self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(table.name)} AS {whole}")

    def select_ids(self, query: Select[tuple[int]]) -> list[int]:
        extracted = extracted_of(self._connection, self._keys) if self._keys else NOTHING_EXTRACTED
        return [row[0] for row in self._connection.execute(to_duckdb(query, extracted)).fetchall()]


@contextmanager
def open_snapshot(keys: Mapping[str, Keys] | None = None) -> Iterator[Snapshot]:
    """An empty snapshot in memory, gone at the end of the block."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        yield Snapshot(connection, keys or {})


def _type_of(kind: Any, dialect: DuckDBDialect) -> str:
    return "JSON" if isinstance(kind, Document) else dialect.type_compiler_instance.process(kind)


def _as_it_is(value: Any) -> Any:
    return value
