"""Claiming work: rows by a conditional update, and names by a lease.

A claim is a row's state in our own database, never a scheduler's: whoever holds it may die, and when its lease has run
out the work is anybody's again. On PostgreSQL claimers pass over each other's rows; on SQLite writers queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, String, Table, select, update

from core.columns import Instant
from core.database import insert_ignore, metadata
from core.personal import IMPERSONAL

lease = Table(
    "lease",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("holder", String(100), nullable=False),
    Column("expires_at", Instant, nullable=False),
    info=IMPERSONAL,
)


def claim_rows(
    connection: Connection,
    table: Table,
    *,
    where: Sequence[ColumnElement[bool]],
    order_by: Sequence[ColumnElement[Any]],
    limit: int,
    values: Mapping[str, Any],
) -> list[Row[Any]]:
    """Set `values` on up to `limit` rows that match `where` and answer them; no two claimers get the same row.

    The table's key is the column `id`. The rows come back in no particular order.
    """
    chosen = select(table.c.id).where(*where).order_by(*order_by).limit(limit)
    if connection.dialect.name == "postgresql":
        chosen = chosen.with_for_update(skip_locked=True)
    # As a CTE it is asked once; as a plain subquery PostgreSQL may ask it again for each row, past the limit.
    once = chosen.cte("chosen")
    # The outer WHERE repeats the condition: between the two nobody may have changed the row.
    statement = update(table).where(table.c.id.in_(select(once.c.id)), *where).values(**values).returning(*table.c)
    return list(connection.execute(statement))


def take_lease(connection: Connection, name: str, holder: str, now: datetime, length: timedelta) -> bool:
    """Take or renew the lease `name` until `now + length`; False while somebody else holds it."""
    expires_at = now + length
    new = insert_ignore(
        connection, lease, [{"name": name, "holder": holder, "expires_at": expires_at}], returning=["name"]
    )
    if new:
        return True
    mine_or_over = (lease.c.holder == holder) | (lease.c.expires_at <= now)
    taken = connection.execute(
        update(lease).where(lease.c.name == name, mine_or_over).values(holder=holder, expires_at=expires_at)
    )
    return taken.rowcount == 1


def release_lease(connection: Connection, name: str, holder: str, now: datetime) -> None:
    """Give the lease up before it runs out; does nothing when somebody else holds it by now."""
    connection.execute(update(lease).where(lease.c.name == name, lease.c.holder == holder).values(expires_at=now))
