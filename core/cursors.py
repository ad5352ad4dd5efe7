"""Reading an append-only table in the order of its commits, without ever skipping a row.

An auto-increment id is given at insert and seen at commit, so a reader that remembers the highest id loses the rows of
a transaction that commits late. On PostgreSQL every row therefore carries the number of its transaction, and only
transactions older than the oldest one still running are read, in the order (transaction, id). On SQLite there is one
writer at a time: the transaction is always 0 and the id alone orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from core.database import metadata, upsert
from core.errors import EnvironmentFaultError
from core.personal import IMPERSONAL

_OLDEST_RUNNING: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")

_NO_TRANSACTION, _THIS_TRANSACTION = "0", "pg_current_xact_id()::text::bigint"

cursor_position = Table(
    "cursor_position",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("transaction_no", BigInteger, nullable=False),
    Column("row_id", BigInteger, nullable=False),
    info=IMPERSONAL,
)


class _CurrentTransaction(FunctionElement[int]):
    """The number of the transaction that inserts the row."""

    type = BigInteger()
    inherit_cache = True


@compiles(_CurrentTransaction, "sqlite")
def _on_sqlite(_element: object, _compiler: object, **_options: object) -> str:
    return _NO_TRANSACTION


@compiles(_CurrentTransaction, "postgresql")
def _on_postgresql(_element: object, _compiler: object, **_options: object) -> str:
    return _THIS_TRANSACTION


def current_transaction(connection: Connection) -> str:
    """What an insert in plain SQL writes into the column `transaction_no`."""
    return _NO_TRANSACTION if connection.dialect.name == "sqlite" else _THIS_TRANSACTION


def transaction_column() -> Column[int]:
    """The column that a table needs in order to be read by a cursor; pair it with an index (transaction_no, id)."""
    return Column("transaction_no", BigInteger, nullable=False, default=_CurrentTransaction())


RESTORED = "restored"  # a position by this name tells of the last restore: (from when it is, when), in microseconds
_BEGINNING = -(2**62)  # a restore into a younger cluster moves the numbers of rows below 0


@dataclass(frozen=True, slots=True)
class Position:
    """Behind this row; the default is before every row."""

    transaction_no: int = _BEGINNING
    row_id: int = 0


def get_position(connection: Connection, name: str) -> Position:
    """Where the cursor `name` stands; the beginning for a new one."""
    row = connection.execute(select(cursor_position).where(cursor_position.c.name == name)).one_or_none()
    return Position(row.transaction_no, row.row_id) if row else Position()


def save_position(connection: Connection, name: str, position: Position) -> None:
    """Remember that everything up to `position` was handled: in the transaction that handled it."""
    row = {"name": name, "transaction_no": position.transaction_no, "row_id": position.row_id}
    upsert(connection, cursor_position, [row], key=["name"], update=["transaction_no", "row_id"])


def read_after(
    connection: Connection,
    table: Table,
    position: Position,
    *,
    limit: int,
    columns: Sequence[ColumnElement[Any]] = (),
    where: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[Row[Any]], Position]:
    """The next rows of `table` in commit order, and the position behind them.

    With `where`, rows that do not match are passed over; the position still moves past everything that was looked at.
    """
    horizon = _horizon(connection, position)
    query = (
        select(*(columns or table.c), table.c.transaction_no.label("_transaction_no"), table.c.id.label("_row_id"))
        .where(behind(connection, table, position), *where)
        .order_by(*_order(connection, table))
        .limit(limit)
    )
    if horizon is not None:
        query = query.where(table.c.transaction_no < horizon)
    rows = list(connection.execute(query).all())
    if rows:
        return rows, Position(rows[-1]._transaction_no, rows[-1]._row_id)
    return rows, position


def behind(connection: Connection, table: Table, position: Position) -> ColumnElement[bool]:
    """The condition that a row of `table` stands behind `position`."""
    row = table.c
    if connection.dialect.name == "sqlite":  # it would use an index for the first of a pair alone, which is always 0
        return row.id > literal(position.row_id)
    return tuple_(row.transaction_no, row.id) > tuple_(literal(position.transaction_no), literal(position.row_id))


def latest_position(connection: Connection, table: Table) -> Position:
    """The position behind everything that is safely readable now: where a new reader of the future starts."""
    query = (
        select(table.c.transaction_no, table.c.id).order_by(table.c.transaction_no.desc(), table.c.id.desc()).limit(1)
    )
    horizon = _horizon(connection, Position())
    if horizon is not None:
        query = query.where(table.c.transaction_no < horizon)
    row = connection.execute(query).one_or_none()
    return Position(row.transaction_no, row.id) if row else Position()


def _order(connection: Connection, table: Table) -> tuple[ColumnElement[Any], ...]:
    return (table.c.id,) if connection.dialect.name == "sqlite" else (table.c.transaction_no, table.c.id)


def _horizon(connection: Connection, position: Position) -> int | None:
    if connection.dialect.name != "postgresql":
        return None
    oldest: int = connection.execute(select(_OLDEST_RUNNING)).scalar_one()
    if position.transaction_no > oldest:
        raise EnvironmentFaultError(
            "a cursor is ahead of this PostgreSQL server, as after a restore into another cluster: "
            "run `postilion doctor`."
        )
    return oldest
