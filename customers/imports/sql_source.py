"""Rows of another database: one reading query, streamed, so that memory stays flat however much it answers.

Nothing is ever written there. The password stands in no message, no log and no table of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from core.errors import InputError
from core.ids import content_hash
from customers.imports.batch import Batch

_READING = frozenset({"select", "with", "values", "table"})
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_FIRST_BATCH = 1_000

# Which package makes SQLAlchemy speak to what; those that differ from the name in the URL.
_PACKAGES = {
    "mysql": "pymysql (and write mysql+pymysql://…)",
    "mariadb": "pymysql (and write mariadb+pymysql://…)",
    "mssql": "pyodbc (and write mssql+pyodbc://…)",
    "oracle": "oracledb (and write oracle+oracledb://…)",
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "redshift": "sqlalchemy-redshift",
    "duckdb": "duckdb-engine",
    "clickhouse": "clickhouse-sqlalchemy",
    "trino": "trino",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One reading query of one database. `name` is what people and tables are shown: no password, no value."""

    url: URL = field(repr=False)
    text: str = field(repr=False)
    name: str

    def __str__(self) -> str:
        return self.name


def parse_query(url: str, query: str) -> Query:
    """The query in `query`, or in the file that `query` names. Raises InputError when it could do more than read."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError(
            "--from is no database address: write postgresql://user@host/database or sqlite:///file.db."
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    text, title = _text(query)
    text = text.strip().rstrip(";").rstrip()
    words = _COMMENTS.sub(" ", text).split(None, 1)
    if not words or words[0].lower().rstrip("(*") not in _READING:
        raise InputError("the query must only read: begin it with SELECT or WITH.")
    return Query(parsed, text, f"{_place(parsed)} {title or 'query ' + content_hash(text)[:8]}")


class QuerySource:
    """Columns are named as the query names them; line numbers are row numbers, from 1."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._engine = _engine(query)
        self._connection: Connection | None = None
        self._result: CursorResult[Any] | None = None
        try:
            self._connection = self._engine.connect().execution_options(
                stream_results=True,
                max_row_buffer=_FIRST_BATCH,
                no_parameters=True,  # a per cent sign in the query stands for itself
                **_read_only(query.url),
            )
            self._result = self._begin(self._connection)
        except (SQLAlchemyError, OSError) as error:
            self.close()
            _refuse(query, error)
        self.columns: list[str] | None = list(self._result.keys())
        self.row_count: int | None = None

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        names = self.columns or []
        places = [names.index(name) for name in columns]
        line = 1
        try:
            while self._result is not None and (found := self._result.fetchmany(size)):
                rows = [tuple([_plain(row[place]) for place in places]) for row in found]
                yield Batch(range(line, line + len(rows)), rows, [])
                line += len(rows)
        except SQLAlchemyError as error:
            _refuse(self._query, error)

    def close(self) -> None:
        if self._result is not None:
            self._result.close()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _begin(self, connection: Connection) -> CursorResult[Any]:
        if self._query.url.get_backend_name() in ("mysql", "mariadb"):
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        return connection.exec_driver_sql(self._query.text)


def _text(query: str) -> tuple[str, str | None]:
    """The query and, where it stands in a file, that file's name."""
    if not query.lower().endswith(".sql"):
        return query, None
    file = Path(query)
    try:
        return file.read_text(encoding="utf-8-sig"), file.name
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"the query {file} cannot be read: {reason}.") from None


def _place(url: URL) -> str:
    """Where the data comes from, without user, password and options, which may hold secrets."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:{Path(url.database or '').name}"
    return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"


def _engine(query: Query) -> Engine:
    url = query.url
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or not Path(url.database).is_file():
            raise InputError(f"there is no SQLite file {url.database}: check the path in --from.")
        absolute = Path(url.database).resolve().as_uri()
        url = url.set(database=f"{absolute}?mode=ro", query={"uri": "true"})
    try:
        return create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        package = _PACKAGES.get(backend) or getattr(error, "name", None) or f"the SQLAlchemy driver of {backend}"
        raise InputError(
            f"the driver of {url.drivername} is not installed: install {package} beside Postilion with pip."
        ) from None
    except (SQLAlchemyError, TypeError, ValueError):
        raise InputError(f"{query.name}: its address has an option that {backend} does not know.") from None


def _read_only(url: URL) -> dict[str, Any]:
    return {"postgresql_readonly": True} if url.get_backend_name() == "postgresql" else {}


def _plain(cell: Any) -> Any:
    """Text that a driver gives as bytes is text; everything else stays as it is."""
    if isinstance(cell, memoryview):
        cell = bytes(cell)
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes | bytearray) else cell


def _refuse(query: Query, error: Exception) -> NoReturn:
    """Raise what the driver says as one sentence, without the password, should it repeat it."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    words = lines[0].rstrip(".") if lines else type(cause).__name__
    for secret in (query.url.password, *_secrets(query.url)):
        words = words.replace(str(secret), "***") if secret else words
    raise InputError(f"{query.name} cannot be read: {words}. Check --from and --query.") from None


def _secrets(url: URL) -> Iterator[str]:
    for values in url.query.values():
        yield from [values] if isinstance(values, str) else values
