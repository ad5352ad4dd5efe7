"""A cursor reads every row once, whatever order transactions commit in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, insert

from core.cursors import Position, get_position, latest_position, read_after, save_position
from core.database import Database
from core.errors import EnvironmentFaultError
from customers.tables import customer_event

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)


def write(connection: Connection, *names: str) -> None:
    rows = [{"name": name, "occurred_at": NOW, "received_at": NOW, "source": "test"} for name in names]
    connection.execute(insert(customer_event), rows)


def read_names(database: Database, position: Position, limit: int = 100) -> tuple[list[str], Position]:
    with database.read() as connection:
        rows, behind = read_after(connection, customer_event, position, limit=limit)
    return [row.name for row in rows], behind


def test_reads_in_pieces_when_the_limit_is_small(database: Database) -> None:
    with database.transaction() as connection:
        write(connection, "a", "b", "c")
    first, position = read_names(database, Position(), limit=2)
    rest, position = read_names(database, position, limit=2)
    assert (first, rest) == (["a", "b"], ["c"])
    assert read_names(database, position) == ([], position)


def test_skips_no_row_when_an_earlier_transaction_commits_later(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time: no transaction can overtake another")
    late = database.engine.connect()
    late_transaction = late.begin()
    write(late, "late")  # takes the lower id, commits second
    with database.transaction() as connection:
        write(connection, "early")
    seen, position = read_names(database, Position())
    assert seen == []  # nothing behind a running transaction is handed out yet
    late_transaction.commit()
    late.close()
    seen, position = read_names(database, position)
    assert sorted(seen) == ["early", "late"]


def test_position_survives_when_saved(database: Database) -> None:
    with database.transaction() as connection:
        assert get_position(connection, "reports") == Position()
        save_position(connection, "reports", Position(3, 7))
        save_position(connection, "reports", Position(3, 9))
    with database.read() as connection:
        assert get_position(connection, "reports") == Position(3, 9)


def test_new_reader_sees_only_the_future_when_it_starts_at_the_latest_position(database: Database) -> None:
    with database.transaction() as connection:
        write(connection, "past")
    with database.read() as connection:
        position = latest_position(connection, customer_event)
    with database.transaction() as connection:
        write(connection, "future")
    assert read_names(database, position)[0] == ["future"]


def test_refuses_when_the_cursor_comes_from_another_cluster(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite numbers no transactions")
    with pytest.raises(EnvironmentFaultError, match="postilion doctor"), database.read() as connection:
        read_after(connection, customer_event, Position(2**60, 1), limit=1)
