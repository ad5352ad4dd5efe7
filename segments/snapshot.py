"""Rules on DuckDB: its dialect, and an in-memory copy of tables to select from.

The only door to duckdb in this package. The dialect is PostgreSQL's with three differences, so that no further
driver is needed; the leaves that differ stand in `dialects`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, LargeBinary, Select, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer, PGTypeCompiler

from core.columns import Document

if TYPE_CHECKING:
    import duckdb


class _QuoteEveryName(PGIdentifierPreparer):
    """DuckDB reserves words that PostgreSQL does not, and more with each version."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class _Types(PGTypeCompiler):
    def visit_FLOAT(self, type_: Any, **options: Any) -> str:  # noqa: N802 (SQLAlchemy's name)
        return "DOUBLE"  # its FLOAT has 32 bits


class DuckDBDialect(postgresql.dialect):  # type: ignore[misc, valid-type] # SQLAlchemy exports it untyped
    name = "duckdb"
    preparer = _QuoteEveryName
    type_compiler_cls = _Types
    supports_statement_cache = True

    def __init__(self) -> None:
        super().__init__(paramstyle="qmark")
        self._backslash_escapes = False


def to_duckdb(query: Select[Any]) -> str:
    """`query` as text with its values written out."""
    return str(query.compile(dialect=DuckDBDialect(), compile_kwargs={"literal_binds": True}))


class Snapshot:
    """Tables copied into memory, and rules run on them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def load(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make `table` anew and fill it with `rows` (names to Python values); sealed columns are left out."""
        dialect = DuckDBDialect()
        columns = [column for column in table.columns if not isinstance(column.type, LargeBinary)]
        declared = ", ".join(f'"{column.name}" {_type_of(column, dialect)}' for column in columns)
        self._connection.execute(f'CREATE OR REPLACE TABLE "{table.name}" ({declared})')
        binders = [column.type.bind_processor(dialect) or _as_it_is for column in columns]
        values = [[bind(row.get(one.name)) for one, bind in zip(columns, binders, strict=True)] for row in rows]
        if values:
            places = ", ".join("?" for _ in columns)
            self._connection.executemany(f'INSERT INTO "{table.name}" VALUES ({places})', values)

    def select_ids(self, query: Select[tuple[int]]) -> list[int]:
        return [row[0] for row in self._connection.execute(to_duckdb(query)).fetchall()]


@contextmanager
def open_snapshot() -> Iterator[Snapshot]:
    """An empty snapshot in memory, gone at the end of the block."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        yield Snapshot(connection)


def _type_of(column: Column[Any], dialect: DuckDBDialect) -> str:
    return "JSON" if isinstance(column.type, Document) else dialect.type_compiler_instance.process(column.type)


def _as_it_is(value: Any) -> Any:
    return value
