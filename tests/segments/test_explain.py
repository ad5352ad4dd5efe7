from __future__ import annotations

from sqlalchemy import insert

from core.database import Database
from customers.tables import customer_event, profile
from segments.explain import Finding, explain
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row

ALICE = 1
RULE = [
    {"attribute": "country", "is": "DE"},
    {"attribute": "first_name", "is": {"exists": True}},
    {"event": "order_placed", "within": "30d", "sum": {"of": "total", "is": {"gte": 5000}}},
    {"any": [{"segment": "idle"}, {"attribute": "tier", "is": "gold"}]},
]


def test_each_condition_is_told_with_its_value_when_a_profile_is_explained(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(ALICE, country="DE", attributes={"tier": "gold"})])
        rows = [event_row(1, ALICE, "order_placed", NOW - DAY, total=4000)]
        connection.execute(insert(customer_event), rows)
    segments = {"idle": parse({"not": {"event": "order_placed", "within": "14d"}})}
    with database.read() as connection:
        findings = explain(connection, parse(RULE), ALICE, NOW, SHOP, segments=segments)
    assert findings == [
        Finding(0, "all of", False),
        Finding(1, "attribute country eq DE", True, "DE"),
        Finding(1, "attribute first_name exists true", False),
        Finding(1, "event order_placed within 30d, sum of total gte 5000", False, 4000.0),
        Finding(1, "any of", True),
        Finding(2, "segment idle", False),
        Finding(3, "not", False),
        Finding(4, "event order_placed within 14d", True, 1),
        Finding(2, "attribute tier eq gold", True, "gold"),
    ]
