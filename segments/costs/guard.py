"""A connection for questions that nobody has asked before: it cannot write, and no statement runs longer than it may.

On PostgreSQL the transaction is read-only and `statement_timeout` ends what takes too long; with POSTILION_READER_URL
it is also another role, which may do nothing but SELECT. On SQLite `query_only` and the progress handler do the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from core.database import Database
from core.errors import InputError
from core.runtime import Runtime

_CANCELLED = "57014"  # PostgreSQL's SQLSTATE query_canceled
_OPERATIONS = 10_000  # of SQLite's virtual machine between two looks at the clock: about a tenth of a millisecond


@contextmanager
def guarded_read(runtime: Runtime, timeout: timedelta | None = None) -> Iterator[Connection]:
    """A reading transaction with one consistent view, in which each statement has `timeout` (default: the setting's).

    Raises InputError with the way out when a statement takes longer. Nothing stays open.
    """
    limit = timeout or runtime.settings.segment_timeout_length
    with _reader(runtime) as database, database.read() as connection, _readable_timeout(limit):
        if database.is_sqlite:
            with _limited(connection, limit):
                yield connection
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_milliseconds(limit)}")
            yield connection


@contextmanager
def _reader(runtime: Runtime) -> Iterator[Database]:
    """The database under its reading role where there is one."""
    if runtime.database.is_sqlite or not runtime.settings.reader_url:
        yield runtime.database
        return
    with closing(Database(runtime.settings.reader_url, pool_size=1)) as reader:
        yield reader


@contextmanager
def _limited(connection: Connection, limit: timedelta) -> Iterator[None]:
    """SQLite's connection goes back to the pool as it came, whatever happens in between."""
    driver: Any = connection.connection.driver_connection
    ends_at = [time.monotonic() + limit.total_seconds()]

    def begin(*_arguments: object) -> None:
        ends_at[0] = time.monotonic() + limit.total_seconds()

    event.listen(connection, "before_cursor_execute", begin)
    driver.execute("PRAGMA query_only = ON")
    driver.set_progress_handler(lambda: time.monotonic() > ends_at[0], _OPERATIONS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        driver.execute("PRAGMA query_only = OFF")
        event.remove(connection, "before_cursor_execute", begin)


@contextmanager
def _readable_timeout(limit: timedelta) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED and str(error.orig) != "interrupted":
            raise
        seconds = f"{limit.total_seconds():g}"
        raise InputError(
            f"the question was stopped after {seconds} seconds. Ask about a shorter time (`within`) or fewer events, "
            f"or give it longer with POSTILION_SEGMENT_TIMEOUT."
        ) from None


def _milliseconds(length: timedelta) -> int:
    return max(1, length // timedelta(milliseconds=1))
