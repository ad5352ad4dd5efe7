"""Instants and documents mean the same on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import StatementError

from core.database import Database
from customers.tables import customer_event

NOW = datetime(2026, 6, 10, 8, 30, 0, 123456, tzinfo=UTC)


def write(database: Database, occurred_at: datetime, properties: Any) -> Any:
    row = {"name": "x", "occurred_at": occurred_at, "received_at": NOW, "source": "test", "properties": properties}
    with database.transaction() as connection:
        connection.execute(insert(customer_event), [row])
        return connection.execute(select(customer_event)).one()


def test_document_comes_back_as_it_was_and_is_an_object_in_the_database(database: Database) -> None:
    document = {"ä": [1, 2.5, None, True, "x"], "n": {"m": 9_007_199_254_740_993}}
    assert write(database, NOW, document).properties == document
    kind = "json_type(properties)" if database.is_sqlite else "jsonb_typeof(properties)"
    with database.read() as connection:
        assert connection.execute(text(f"SELECT {kind} FROM customer_event")).scalar_one() == "object"


def test_instant_comes_back_in_utc_to_the_microsecond_whatever_zone_it_was_given_in(database: Database) -> None:
    row = write(database, NOW.astimezone(timezone(timedelta(hours=5, minutes=45))), {})
    assert row.occurred_at == NOW
    assert row.occurred_at.tzinfo is UTC


def test_naive_instant_is_refused_when_written(database: Database) -> None:
    with pytest.raises(StatementError, match="no time zone"):
        write(database, NOW.replace(tzinfo=None), {})
