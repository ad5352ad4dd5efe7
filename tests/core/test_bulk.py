"""Rows written in bulk come back as they were, whatever stands in them, on both databases."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from core.bulk import insert_few, update_rows
from core.database import Database
from customers.tables import customer_event

COLUMNS = ("id", "name", "occurred_at", "received_at", "source", "is_historical", "sealed_properties", "visitor_id")
READ = tuple(customer_event.c[name] for name in ("name", "source", "is_historical", "sealed_properties", "visitor_id"))

# Everything but what no database stores: NUL and halves of characters.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
hostile = st.sampled_from(["", "NULL", "null", '"', "\\", "{}", "{a,b}", "a,b", " a ", '\\"', "'", "%s", "ä😀", "\n\t"])
values = st.tuples(
    hostile | texts,
    hostile | texts,
    st.booleans(),
    st.none() | st.binary(max_size=40),
    st.none() | st.integers(0, 2**53),
)


class Source(StrEnum):
    SITE = "site"


def write(database: Database, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        connection.execute(delete(customer_event))
        given_rows = [
            (number, name, 1, 2, source, is_historical, sealed, visitor)
            for number, (name, source, is_historical, sealed, visitor) in enumerate(rows, start=1)
        ]
        computed = {"transaction_no": "0", "properties": "'{}'"}
        insert_few(connection, customer_event, COLUMNS, given_rows, computed=computed)
        return [tuple(row) for row in connection.execute(select(*READ).order_by(customer_event.c.id))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(values, min_size=1, max_size=6))
def test_rows_come_back_as_they_were_when_anything_stands_in_them(
    database: Database, rows: list[tuple[Any, ...]]
) -> None:
    assert write(database, rows) == rows


def test_a_word_of_a_set_is_written_as_its_text_when_it_is_an_enum(database: Database) -> None:
    assert write(database, [("seen", Source.SITE, False, None, None)])[0][1] == "site"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(values, min_size=1, max_size=4))
def test_each_row_gets_its_own_values_when_many_are_updated(database: Database, rows: list[tuple[Any, ...]]) -> None:
    write(database, [("before", "before", False, b"before", 1)] * len(rows))
    with database.transaction() as connection:
        changes = [(number, row[0], row[3]) for number, row in enumerate(rows, start=1)]
        update_rows(connection, customer_event, ("id", "name", "sealed_properties?"), changes, where="1 = 1")
        names = customer_event.c.name, customer_event.c.sealed_properties
        found = [tuple(row) for row in connection.execute(select(*names).order_by(customer_event.c.id))]
    assert found == [(row[0], b"before" if row[3] is None else row[3]) for row in rows]
