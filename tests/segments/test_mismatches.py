"""A value of another kind than the condition asks for fails, and is counted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from core.database import Database
from customers.tables import customer_event, profile
from segments import mismatches
from segments.mismatches import Mismatch, count_mismatches
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row

POINTS = [5, "5", True, [1, "a"], ["a"], None, {"a": 1}]


@pytest.fixture(autouse=True)
def rows(database: Database) -> None:
    with database.transaction() as connection:
        people = [profile_row(number, attributes={"points": value}) for number, value in enumerate(POINTS, start=1)]
        connection.execute(insert(profile), [*people, profile_row(9), profile_row(10, status="erased")])
        events = [
            event_row(1, 1, "cart_updated", NOW - DAY, total=5, sku="a", sent_at="2026-06-01"),
            event_row(2, 1, "cart_updated", NOW - DAY, total="5", sku=7, sent_at="2026-06-01T10:00:00Z"),
            event_row(3, 1, "cart_updated", NOW - 9 * DAY, total="many", sent_at="soon"),
            event_row(4, 1, "signed_up", NOW - DAY, total="6"),
            event_row(5, 1, "cart_updated", NOW + DAY, total="7"),
        ]
        connection.execute(insert(customer_event), events)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"attribute": "points", "is": {"gte": 5}}, [(("is",), "'points' is not a number", 4)]),
        ({"attribute": "points", "is": "5"}, [(("is",), "'points' is not a text", 3)]),
        ({"attribute": "points", "is": {"in": [5, "a"]}}, [(("is",), "'points' is not a number or a text", 2)]),
        ({"attribute": "points", "is": {"exists": True}}, []),
        ({"attribute": "first_name", "is": "Alice"}, []),
        (
            {"event": "cart_updated", "within": "7d", "where": {"sku": "a"}, "sum": {"of": "total", "is": {"gt": 1}}},
            [
                (("where", "sku"), "'sku' of cart_updated is not a text", 1),
                (("sum",), "'total' of cart_updated is not a number", 1),
            ],
        ),
        (
            {"event": ["cart_updated", "signed_up"], "last": {"of": "total", "is": 5}},
            [(("last",), "'total' of cart_updated or signed_up is not a number", 3)],
        ),
        (
            {"event": "cart_updated", "where": {"sent_at": {"within": "30d"}}},
            [(("where", "sent_at"), "'sent_at' of cart_updated is not a date", 1)],
        ),
        (
            {"rank": {"by": {"event": "cart_updated", "max": "total"}, "top": 10}},
            [(("rank", "by", "max"), "'total' of cart_updated is not a number", 2)],
        ),
        (
            {"sequence": ["signed_up", {"event": "cart_updated", "where": {"total": {"gt": 1}}}]},
            [(("sequence", 1, "where", "total"), "'total' of cart_updated is not a number", 2)],
        ),
    ],
)
def test_values_of_another_kind_are_counted_when_a_condition_meets_them(
    database: Database, condition: Any, expected: list[Any]
) -> None:
    with database.read() as connection:
        found = count_mismatches(connection, parse(condition), SHOP, NOW)
    assert found == [Mismatch(*one) for one in expected]


def test_no_more_than_a_sample_is_read_when_there_are_many_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mismatches, "SAMPLE", 2)
    rule = parse([{"attribute": "points", "is": 5}, {"event": "cart_updated", "where": {"total": 5}}])
    with database.read() as connection:
        assert [one.count for one in count_mismatches(connection, rule, SHOP, NOW)] == [1]
