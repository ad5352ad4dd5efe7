"""Segments a marketer can read, the SQL that they become for each database, and who of the four people is in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from core.errors import Fault
from core.located import Located, load_yaml
from core.schema_check import check_schema
from customers.account_tables import account, account_member
from customers.tables import (
    consent_entry,
    customer_event,
    customer_order,
    identity,
    order_line,
    product,
    profile,
    static_list_member,
)
from customers.task_tables import task
from delivery.tables import message
from insights.tables import score
from segments.compiling.compiler import compile_rule
from segments.definition import Segment, parse_segment
from segments.snapshot import DuckDBDialect
from tests.conftest import GOLDEN
from tests.segments.engines import Engines, Rows
from tests.segments.leaf_rows import account_row, line_row, member_row, order_row, product_row
from tests.segments.people import (
    DAY,
    NOW,
    SHOP,
    consent_row,
    engagement_row,
    event_row,
    identity_row,
    message_row,
    profile_row,
    score_row,
    task_row,
)
from tracking.tables import engagement_event

FILES = sorted(file for file in (GOLDEN / "segments").glob("*.yaml") if file.stem != "faults")
DIALECTS: dict[str, Dialect] = {
    "sqlite": SQLiteDialect(),
    "postgresql": PGDialect(paramstyle="named"),  # type: ignore[no-untyped-call] # in SQLAlchemy
    "duckdb": DuckDBDialect(),
}
ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
NAMES = {ALICE: "Alice", BOB: "Bob", CAROL: "Carol", DAVE: "Dave"}

IN_BERLIN = {"points": 200, "tier": "Gold", "latitude": 52.5, "longitude": 13.4}

# Alice consented to everything; Bob withdrew e-mail; Carol hard-bounced; Dave is anonymous.
PEOPLE: Rows = {
    profile: [
        profile_row(
            ALICE,
            country="DE",
            has_email=True,
            birth_month=6,
            birth_day=12,
            attributes={"tier": "gold+", "member_since": "2026-03-01", "latitude": 52.39, "longitude": 13.06},
        ),
        profile_row(BOB, country="AT", has_email=True, attributes={"tags": ["music", "sport"], "tier": "silver"}),
        profile_row(CAROL, country="FR", has_email=True, birth_month=6, birth_day=12, attributes=IN_BERLIN),
        profile_row(
            DAVE,
            created_at=NOW - DAY,
            timezone="Pacific/Honolulu",
            attributes={"points": 100, "member_since": "2026-05-31"},
        ),
    ],
    identity: [identity_row(who, who, "email", f"lookup-{who}") for who in (ALICE, BOB, CAROL)],
    consent_entry: [
        consent_row(1, "lookup-1", "email", "marketing", "granted", NOW - 90 * DAY),
        consent_row(2, "lookup-2", "email", "marketing", "granted", NOW - 90 * DAY),
        consent_row(3, "lookup-2", "email", "*", "withdrawn", NOW - DAY),
        consent_row(4, "lookup-3", "email", "marketing", "granted", NOW - 90 * DAY),
    ],
    customer_event: [
        event_row(1, ALICE, "order_placed", NOW - 40 * DAY, total=6000),
        event_row(2, ALICE, "order_placed", NOW - 3 * DAY, total=4000),
        event_row(3, BOB, "order_placed", NOW - 50 * DAY, total=20000),
        event_row(4, BOB, "order_placed", NOW - 51 * DAY, total=20000),
        event_row(5, BOB, "order_returned", NOW - 20 * DAY, total=-20000),
        event_row(6, CAROL, "order_placed", NOW - 30 * DAY, total=500000),
        event_row(7, CAROL, "cart_updated", NOW - 2 * DAY, total=1000, sku="green-tea"),
        event_row(8, CAROL, "cart_updated", NOW - 1 * DAY, total=999, sku="kettle"),
        event_row(9, BOB, "cart_updated", NOW - 2 * DAY, total=1000, sku="green-tea"),
        event_row(10, BOB, "cart_updated", NOW - 1 * DAY, total=1000, sku="kettle"),
        event_row(11, None, "order_placed", NOW - 3 * DAY, total=4000),
    ],
    message: [message_row(who, who, "spring") for who in (ALICE, BOB, CAROL)],
    engagement_event: [
        engagement_row(1, 1, ALICE, "clicked", 0.9, link_tag="hero"),
        engagement_row(2, 2, BOB, "clicked", 0.5, link_tag="hero"),
        engagement_row(3, 3, CAROL, "clicked", 0.1, link_tag="hero"),
    ],
    task: [
        task_row(1, ALICE, "complaint", "done"),
        task_row(2, BOB, "complaint", "in_progress"),
        task_row(3, CAROL, "to_do", "open"),
        task_row(4, None, "complaint", "open"),
    ],
    score: [
        score_row("churn", ALICE, 0.9, NOW - 8 * DAY),
        score_row("churn", BOB, 0.2, NOW - DAY),
        score_row("churn", CAROL, 0.5, NOW - 7 * DAY),
        score_row("churn", DAVE, 0.8, NOW - DAY),
    ],
    customer_order: [
        order_row(1, ALICE, NOW - 40 * DAY),
        order_row(2, BOB, NOW - 51 * DAY),
        order_row(3, BOB, NOW - 20 * DAY, "return"),
    ],
    order_line: [
        line_row(1, "kettle", 1),
        line_row(1, "green-tea", 2, line_no=2),
        line_row(2, "kettle", 1),
        line_row(2, "green-tea", 2, line_no=2),
        line_row(3, "kettle", -1),
    ],
    product: [product_row("green-tea", "tea"), product_row("kettle", "kitchen")],
    account: [account_row(1, "acme", "DE", employees=50)],
    account_member: [member_row(1, ALICE, "buyer"), member_row(1, BOB, "user")],
    static_list_member: [{"list": "vips", "profile_id": DAVE, "added_at": NOW}],
}


def read(file: Path) -> tuple[Segment | None, list[Fault]]:
    located, faults = load_yaml(file.read_bytes(), f"segments/{file.name}")
    assert isinstance(located, Located)
    faults += check_schema(located, "segment")
    segment, found = parse_segment(located, file.name, SHOP)
    return segment, sorted(faults + found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_segment_becomes_this_sql_when_it_is_compiled(file: Path, golden: Callable[[str, str], None]) -> None:
    segment, faults = read(file)
    assert segment is not None
    assert not faults
    query = compile_rule(segment.rule, now=NOW, workspace=SHOP, segments={})
    for name, dialect in DIALECTS.items():
        text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        lines = (line.rstrip() for line in text.splitlines())
        golden(f"segments/{file.stem}.{name}.sql", "\n".join(lines) + "\n")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_segment_has_the_people_that_its_file_says_when_asked_anywhere(file: Path, engines: Engines) -> None:
    engines.load(PEOPLE)
    segment, _faults = read(file)
    assert segment is not None
    expected = re.search("# expected: (.*)", file.read_text())
    assert expected is not None
    assert ", ".join(NAMES[one] for one in engines.members(segment.rule)) == expected[1]


def test_every_fault_is_reported_at_its_place_when_a_segment_is_wrong(golden: Callable[[str, str], None]) -> None:
    segment, faults = read(GOLDEN / "segments" / "faults.yaml")
    assert segment is None
    golden("segments/faults.txt", "".join(f"{fault}\n" for fault in faults))
