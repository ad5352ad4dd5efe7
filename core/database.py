"""The way to the database: one engine a process, short transactions, and inserts that may be repeated.

Only an edge (a command, a request, a flow, a worker's loop) opens `transaction()`; everything below it is handed the
connection and never commits. SQLite is opened so that writers queue instead of failing (see docs/decisions/0003).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from core.errors import EnvironmentFaultError

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

T = TypeVar("T")

_BUSY_TIMEOUT_S = 30
_BUSY_MS = 1000 * _BUSY_TIMEOUT_S
_TRACES_MS = 500
_READ_ONLY = "postilion_read_only"


class Database:
    """One system of record: `sqlite:///file` or `postgresql://…`."""

    def __init__(self, url: str, *, pool_size: int = 20, overwrite_deleted: bool = False) -> None:
        self.url = _with_driver(url)
        self._writer = Lock()
        if self.url.get_backend_name() == "sqlite":
            self.engine = _sqlite_engine(self.url, pool_size, overwrite_deleted)
        else:
            self.engine = create_engine(
                self.url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, hide_parameters=True
            )

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A writing transaction: commits at the end of the block, rolls back when it raises."""
        with _readable_faults(self.url), self._turn_to_write(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading transaction with one consistent view; what it would write is lost."""
        with (
            _readable_faults(self.url),
            self.engine.connect().execution_options(**{_READ_ONLY: True}) as connection,
        ):
            yield connection

    def drop_traces(self) -> None:
        """On SQLite, carry the write-ahead log over and empty it: it still holds what was deleted a moment ago.

        Waits a little for readers, and leaves the rest to the next one. PostgreSQL vacuums by itself.
        """
        if not self.is_sqlite:
            return
        connection = self.engine.raw_connection()  # without the BEGIN that `read` and `transaction` write
        try:
            for statement in (f"busy_timeout={_TRACES_MS}", "wal_checkpoint(TRUNCATE)", f"busy_timeout={_BUSY_MS}"):
                connection.cursor().execute(f"PRAGMA {statement}").fetchall()
        finally:
            connection.close()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """SQLite's writers poll for their turn with growing pauses; those of one process queue here instead."""
        if not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=_BUSY_TIMEOUT_S):
            raise EnvironmentFaultError(f"the database {self.url.database} was busy for {_BUSY_TIMEOUT_S} seconds.")
        try:
            yield
        finally:
            self._writer.release()


def insert_ignore(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, returning: Sequence[str] = ()
) -> list[tuple[Any, ...]]:
    """Insert `rows` and pass over those that are there already (ON CONFLICT DO NOTHING).

    With `returning`, answers those columns of the rows that were really new, in no particular order.
    """
    if not rows:
        return []
    statement = _dialect_insert(connection, table).on_conflict_do_nothing()
    if not returning:
        connection.execute(statement, list(rows))
        return []
    result = connection.execute(statement.returning(*(table.c[name] for name in returning)), list(rows))
    return [tuple(row) for row in result]


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    update: Sequence[str],
) -> None:
    """Insert `rows`, or set the columns `update` where a row with the same `key` stands."""
    if not rows:
        return
    statement = _dialect_insert(connection, table)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c[name] for name in key],
            set_={name: statement.excluded[name] for name in update},
        ),
        list(rows),
    )


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _dialect_insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _sqlite_engine(url: URL, pool_size: int, overwrite_deleted: bool) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        hide_parameters=True,  # an error's text ends up in logs and on run pages
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we write BEGIN ourselves, see below
        if overwrite_deleted:  # no WAL: a copy of what was destroyed must not linger in it
            connection.execute("PRAGMA journal_mode=DELETE")
        else:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA secure_delete=ON")  # what was erased leaves no trace in free pages
        connection.execute("PRAGMA synchronous=FULL")  # what was committed survives a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-12288")  # 12 MB a connection, so that a worker stays small
        _complete(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred BEGIN that later writes fails at once with "database is locked"; an immediate one waits its turn.
        read_only = connection.get_execution_options().get(_READ_ONLY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _complete(connection: sqlite3.Connection) -> None:
    """Give SQLite the functions that conditions use and that not every build of it has."""
    known = {name for (name,) in connection.execute("SELECT name FROM pragma_function_list")}
    for function in (math.sin, math.cos):
        if function.__name__ not in known:
            connection.create_function(function.__name__, 1, function, deterministic=True)


@contextmanager
def _readable_faults(url: URL) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        cause = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        place = url.render_as_string(hide_password=True)
        hint = _WAYS_OUT.get(next((words for words in _WAYS_OUT if words in cause), ""), "")
        if not hint:
            raise
        raise EnvironmentFaultError(f"the database {place} cannot be used: {cause}. {hint}") from error


_WAYS_OUT = {
    "no such table": "Run `postilion init` (or `postilion apply`) to bring it up to date.",
    "unable to open database file": "Check that the folder exists and may be written.",
    "database or disk is full": "Free some disk space and run the command again; nothing was half-written.",
    "disk I/O error": "Is the disk full, or failing? Put that right and run it again; nothing was half-written.",
    "database is locked": "Another process has held it for 30 seconds; end that process or wait for it.",
    "connection refused": "Is the server running, and are host and port of POSTILION_DATABASE_URL right?",
    "Connection refused": "Is the server running, and are host and port of POSTILION_DATABASE_URL right?",
    "connection failed": "Check host, port, user and password in POSTILION_DATABASE_URL.",
    "attempt to write a readonly database": "The file or its folder may not be written by this user.",
    "No space left on device": "Free some disk space and run the command again; nothing was half-written.",
}
