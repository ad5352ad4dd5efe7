"""Cursors ahead of their server: what happens when a database is copied into another PostgreSQL cluster by hand.

Rows carry the number of their transaction (core/cursors.py), and a younger cluster counts from lower numbers: readers
would pass over everything that is written from now on.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select, text

from console.doctor.finding import Finding, fine, note, wrong
from console.doctor.patient import Patient
from core.cursors import cursor_position
from migrations.tables import metadata

_WAY_OUT = "end everything, run `postilion backup FILE` here, then `postilion restore FILE`: restoring counts anew"


def examine(patient: Patient) -> Iterator[Finding]:
    database = patient.database
    if database is None:
        yield note("without a database there are none")
        return
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(cursor_position)).scalar_one()
        ahead = [] if database.is_sqlite else [*_cursors_ahead(connection), *_tables_ahead(connection)]
    if ahead:
        yield wrong(f"ahead of this PostgreSQL server, as after a copy from another: {', '.join(ahead)}", _WAY_OUT)
    else:
        yield fine(f"{count} cursor{'' if count == 1 else 's'}, none ahead of what is written")


def _next_transaction(connection: Connection) -> int:
    number: int = connection.execute(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")).scalar_one()
    return number


def _cursors_ahead(connection: Connection) -> list[str]:
    is_ahead = cursor_position.c.transaction_no > _next_transaction(connection)
    return list(connection.execute(select(cursor_position.c.name).where(is_ahead)).scalars())


def _tables_ahead(connection: Connection) -> list[str]:
    """Tables with rows that no reader will reach for a long time."""
    end = _next_transaction(connection)
    found = []
    for table in metadata.sorted_tables:
        if "transaction_no" in table.c and table is not cursor_position:
            newest = connection.execute(select(func.max(table.c.transaction_no))).scalar()
            if newest is not None and newest > end:
                found.append(f"the rows of {table.name}")
    return found
