"""Who was erased, written down beside the data keys and apart from the database.

A database that is restored from yesterday's backup does not know what was erased today; the key store does, and the
erasures with a number behind the database's own position are carried out again before it serves. A row holds ids and
keyed hashes alone. Rows are never changed and never deleted, not even by a restore of the key store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, insert, select, text

from core.database import Database
from core.key_store import erasure

CURSOR = "erasures"  # how far a database has come: the row id of this position (core/cursors.py)

_LOCK = 7_204_413  # any number, so long as every process uses the same and nothing else does


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's erasure: all profiles that were theirs, and the tombstones (mark to kind) of their identifiers."""

    no: int
    profile_ids: tuple[int, ...]
    marks: Mapping[str, str] = field(repr=False)
    erased_at: datetime


def record_erasure(store: Database, profile_ids: Iterable[int], marks: Mapping[str, str], erased_at: datetime) -> int:
    """Write down that these profiles are to be erased; answers the number, which only ever grows.

    Numbers become visible in their order, so that a reader who remembers the highest has passed over none.
    """
    row = {
        "profile_ids": msgspec.json.encode(sorted(profile_ids)).decode(),
        "marks": msgspec.json.encode(dict(marks)).decode(),
        "erased_at": erased_at,
    }
    with store.transaction() as connection:
        if not store.is_sqlite:  # on SQLite writers queue anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        number: int = connection.execute(insert(erasure).values(**row).returning(erasure.c.no)).scalar_one()
    return number


def read_erasures(store: Database, after: int = 0) -> list[Erasure]:
    """The erasures with a number above `after`, in their order."""
    with store.read() as connection:
        return _read(connection, after)


def latest_erasure(store: Database) -> int:
    """The highest number so far, 0 where nobody was ever erased."""
    with store.read() as connection:
        number: int | None = connection.execute(select(func.max(erasure.c.no))).scalar()
    return number or 0


def _read(connection: Connection, after: int) -> list[Erasure]:
    rows = connection.execute(select(erasure).where(erasure.c.no > after).order_by(erasure.c.no))
    return [
        Erasure(
            row.no,
            tuple(msgspec.json.decode(row.profile_ids, type=list[int])),
            msgspec.json.decode(row.marks, type=dict[str, str]),
            row.erased_at,
        )
        for row in rows
    ]
