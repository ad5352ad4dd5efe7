"""Very many rows into one table, as fast as each driver can; what is there already is passed over or updated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

PASS_OVER = "DO NOTHING"


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
    names = ", ".join(columns)
    into = f"INSERT INTO {table.name} ({names})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"{into} VALUES ({marks}) ON CONFLICT {on_conflict}"
        return connection.exec_driver_sql(statement, list(rows)).rowcount
    # COPY knows no ON CONFLICT: it fills a table of this transaction, from which the rows are taken.
    passage = f"incoming_{table.name}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {passage} ON COMMIT DELETE ROWS AS "
        f"SELECT {names} FROM {table.name} WITH NO DATA"
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY {passage} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"{into} SELECT {names} FROM {passage} ON CONFLICT {on_conflict}")
        written_count: int = cursor.rowcount
        cursor.execute(f"TRUNCATE {passage}")
    return written_count
