"""The rows of `send_rate`, which all workers of a workspace share: read under a lock, and written back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from core.clock import from_micros, to_micros
from core.database import insert_ignore
from delivery.tables import send_rate
from delivery.throttle import Rate

_MICROS = 1_000_000


def lock_rate(connection: Connection, scope: str) -> Rate:
    """The shared row, held until this transaction ends; made where it is missing."""
    query = select(send_rate).where(send_rate.c.scope == scope).with_for_update()
    row: Any = connection.execute(query).one_or_none()
    if row is None:
        insert_ignore(connection, send_rate, [{"scope": scope, "next_at": from_micros(0)}])
        row = connection.execute(query).one()
    return Rate(
        row.quota,
        row.slowed_to,
        None if row.slowed_at is None else to_micros(row.slowed_at) / _MICROS,
        to_micros(row.next_at) / _MICROS,
        row.day_left,
    )


def write_rate(connection: Connection, scope: str, rate: Rate) -> None:
    connection.execute(
        update(send_rate)
        .where(send_rate.c.scope == scope)
        .values(
            slowed_to=rate.slowed_to,
            slowed_at=None if rate.slowed_at is None else from_micros(int(rate.slowed_at * _MICROS)),
            # Rounded up: rounding down would creep ahead of the quota.
            next_at=from_micros(int(rate.next_at * _MICROS) + 1),
            day_left=rate.day_left,
        )
    )
