"""Names and texts as DuckDB writes them, and the small answers that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def first_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The only row that `query` has; an unfinished answer would hold the connection."""
    [row] = connection.execute(query).fetchall()
    return tuple(row)
