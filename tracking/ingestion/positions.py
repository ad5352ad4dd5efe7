"""How far each slot of the log is loaded: moved on in the transaction that stores what lies before it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from core.database import insert_ignore
from core.errors import ConflictError
from tracking.tables import ingest_position


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """Behind this byte of this segment."""

    segment: int = 0
    byte: int = 0


def get_log_position(connection: Connection, slot: str) -> LogPosition:
    """Where loading goes on; the beginning for a slot that nothing was loaded of."""
    query = select(ingest_position.c.segment, ingest_position.c.byte).where(ingest_position.c.slot == slot)
    row = connection.execute(query).one_or_none()
    return LogPosition(row.segment, row.byte) if row is not None else LogPosition()


def advance(connection: Connection, slot: str, before: LogPosition, after: LogPosition) -> None:
    """Move on from `before`. Raises ConflictError when another loader has moved it: then nothing may be stored.

    To be called first in the transaction: on PostgreSQL it lets a second loader wait, and then find that it is late.
    """
    insert_ignore(connection, ingest_position, [{"slot": slot, "segment": 0, "byte": 0}])
    here = ingest_position.c
    moved = connection.execute(
        update(ingest_position)
        .where(here.slot == slot, here.segment == before.segment, here.byte == before.byte)
        .values(segment=after.segment, byte=after.byte)
    )
    if moved.rowcount != 1:
        raise ConflictError(f"the log {slot} is being loaded by another process: leave it to that one.")


def drop_log_position(connection: Connection, slot: str) -> None:
    """Forget a slot whose files are gone."""
    connection.execute(delete(ingest_position).where(ingest_position.c.slot == slot))
