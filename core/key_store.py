"""The store of the wrapped data keys: its tables, and the way to it.

It lies apart from the database, because whoever has a backup of both could read what was erased since. What is deleted
here is overwritten on disk.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

from core.columns import Instant
from core.database import Database

key_metadata = MetaData()

data_key = Table(
    "data_key",  # one a profile
    key_metadata,
    Column("profile_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

day_key = Table(
    "day_key",  # one a day, for what belongs to nobody yet
    key_metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # of the proleptic Gregorian calendar, from 1
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

erasure = Table(
    "erasure",  # who was erased, kept apart from the database so that a restored one can be told; see core/erasures.py
    key_metadata,
    Column("no", Integer, primary_key=True),
    Column("profile_ids", Text, nullable=False),  # JSON: a list
    Column("marks", Text, nullable=False),  # JSON: tombstone to kind of identifier
    Column("erased_at", Instant, nullable=False),
    sqlite_autoincrement=True,  # numbers must never begin again
)


def open_key_store(url: str) -> Database:
    """The database that holds the wrapped data keys; deleted keys are overwritten on disk."""
    store = Database(url, pool_size=4, overwrite_deleted=True)
    if not store.is_sqlite:
        store.engine = store.engine.execution_options(schema_translate_map={None: "keys"})
    return store
