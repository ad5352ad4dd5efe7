"""The database: reachable, new enough, whole, and nobody who keeps its readers waiting."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from threading import Timer

from sqlalchemy import text

from console.doctor.finding import Finding, fine, warning, wrong
from console.doctor.patient import Patient, file_of
from core.database import Database
from core.settings import Settings

_OLDEST_SQLITE = (3, 40)
_OLDEST_POSTGRESQL = 150_000
_LOOK_S = 3.0  # a large file takes longer than anybody waits
_LARGE_WAL_BYTES = 512 * 1024 * 1024
# Only a transaction with a number holds cursors back: see core/cursors.py.
_OLD_TRANSACTIONS = """
    SELECT pid::text AS name, coalesce(nullif(application_name, ''), usename, 'somebody') AS who,
           extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds,
           'SELECT pg_terminate_backend(' || pid || ')' AS way_out
    FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND xact_start < clock_timestamp() - interval '5 minutes'
    UNION ALL
    SELECT gid, owner, extract(epoch FROM clock_timestamp() - prepared)::int,
           'ROLLBACK PREPARED ' || quote_literal(gid)
    FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - interval '5 minutes'
    ORDER BY 3 DESC LIMIT 5
"""


def examine(patient: Patient) -> Iterator[Finding]:
    database = patient.database
    if database is None:
        yield wrong(f"there is none at {_place(patient.settings)}", "run `postilion init`, or `postilion restore FILE`")
    elif database.is_sqlite:
        yield from _sqlite(patient, database)
    else:
        yield from _postgresql(database)


def _sqlite(patient: Patient, database: Database) -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        yield wrong(f"SQLite {sqlite3.sqlite_version} is too old", "use a Python that brings SQLite 3.40 or newer")
    with database.read() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        if mode != "wal":
            yield warning(
                f"its journal mode is {mode}, so that readers wait for writers", "is the folder on a network?"
            )
        yield from _faults(connection.connection.dbapi_connection)
    file = file_of(patient.settings.database)
    log = file.with_name(f"{file.name}-wal") if file else None
    if log is not None and log.exists() and log.stat().st_size > _LARGE_WAL_BYTES:
        size = log.stat().st_size // 1024 // 1024
        yield warning(f"{log.name} has grown to {size:,} MB: somebody reads without end", "restart `postilion up`")
    yield fine(f"SQLite {sqlite3.sqlite_version}, {_place(patient.settings)}")


def _faults(raw: object) -> Iterator[Finding]:
    """`PRAGMA quick_check`, for a few seconds: what it has not found until then is not found here."""
    assert isinstance(raw, sqlite3.Connection)
    stop = Timer(_LOOK_S, raw.interrupt)
    stop.start()
    try:
        (told,) = raw.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return
    except sqlite3.DatabaseError as error:
        told = str(error)
    finally:
        stop.cancel()
    if told != "ok":
        yield wrong(f"the file is damaged: {told}", "run `postilion restore FILE` with the last backup")


def _postgresql(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
        release = connection.execute(text("SHOW server_version")).scalar_one().partition(" ")[0]
        old = connection.execute(text(_OLD_TRANSACTIONS)).all()
    if number < _OLDEST_POSTGRESQL:
        yield wrong(f"PostgreSQL {release} is too old", "move to PostgreSQL 15 or newer")
    for row in old:
        minutes = row.seconds // 60
        told = f"every cursor waits for the transaction {row.name} of {row.who}, open for {minutes:,} minutes"
        yield warning(told, f"end it in psql: {row.way_out}")
    yield fine(f"PostgreSQL {release}, {database.url.render_as_string(hide_password=True)}")


def _place(settings: Settings) -> str:
    file = file_of(settings.database)
    return str(file) if file else "POSTILION_DATABASE_URL"
