from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from core.database import Database
from core.errors import InputError
from core.runtime import Runtime
from core.settings import Settings
from customers.tables import customer_event, profile
from segments.compiling.compiler import compile_rule
from segments.costs.cost import Cost, estimate, refuse_above
from segments.costs.guard import guarded_read
from segments.costs.plan_steps import Step
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row
from tests.segments.runtimes import open_runtime_on

# Counts to 300 million in the database itself: seconds on any machine.
LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000000) SELECT max(i) FROM n"


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Runtime:
    return open_runtime_on(database, tmp_path)


def test_a_question_is_stopped_with_the_way_out_when_it_takes_too_long(runtime: Runtime) -> None:
    with (
        pytest.raises(InputError, match=r"stopped after 0\.2 seconds.*POSTILION_SEGMENT_TIMEOUT"),
        guarded_read(runtime, timedelta(seconds=0.2)) as connection,
    ):
        connection.execute(text(LONG)).scalar()


def test_nothing_can_be_written_when_it_is_guarded(runtime: Runtime) -> None:
    with guarded_read(runtime) as connection, pytest.raises(DBAPIError, match=r"(?i)read-?only"):
        connection.execute(insert(profile), [profile_row(1)])


def test_the_connection_writes_as_before_when_the_guarded_question_is_over(runtime: Runtime) -> None:
    with pytest.raises(InputError), guarded_read(runtime, timedelta(seconds=0.1)) as connection:
        connection.execute(text(LONG)).scalar()
    with runtime.database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(1)])
    with guarded_read(runtime) as connection:
        assert connection.scalar(select(func.count()).select_from(profile)) == 1


def test_the_readers_own_role_is_used_when_there_is_one(runtime: Runtime) -> None:
    if runtime.database.is_sqlite:
        pytest.skip("SQLite has no roles")
    with runtime.database.transaction() as connection:
        connection.execute(text("DROP ROLE IF EXISTS postilion_test_reader"))
        connection.execute(text("CREATE ROLE postilion_test_reader LOGIN"))
        connection.execute(text("GRANT pg_read_all_data TO postilion_test_reader"))
    url = runtime.database.url.set(username="postilion_test_reader").render_as_string(hide_password=False)
    reading = replace(runtime, settings=replace(runtime.settings, reader_url=url))
    with guarded_read(reading) as connection:
        assert connection.scalar(text("SELECT current_user")) == "postilion_test_reader"
        assert connection.scalar(select(func.count()).select_from(profile)) == 0
    with runtime.database.transaction() as connection:
        connection.execute(text("DROP OWNED BY postilion_test_reader"))
        connection.execute(text("DROP ROLE postilion_test_reader"))


def test_rows_are_estimated_when_a_rule_looks_at_events(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in range(1, 201)])
        rows = [
            event_row(number, 1 + number % 200, "order_placed" if number % 10 == 0 else "page_viewed", NOW - DAY)
            for number in range(1, 5001)
        ]
        connection.execute(insert(customer_event), rows)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    rule = parse({"event": "order_placed", "within": "30d", "count": {"gte": 2}})
    query = compile_rule(rule, now=NOW, workspace=SHOP, segments={})
    with database.read() as connection:
        cost = estimate(connection, query, rule, {}, NOW)
    assert {step.table for step in cost.steps} == {"profile", "customer_event"}
    assert 500 <= cost.rows <= 5_500
    assert cost.rows == sum(step.rows for step in cost.steps)


def test_a_dear_segment_is_refused_with_the_reason_and_the_ways_out() -> None:
    cost = Cost(900, 0.1, (Step("customer_event", "all of it", 800), Step("profile", "all of it", 100)))
    refuse_above(cost, 900, "loyal")
    refuse_above(cost, 0, "loyal")
    with pytest.raises(InputError) as refused:
        refuse_above(cost, 899, "loyal")
    assert "would look at 900 rows, and 899 are allowed; 800 of them are in customer_event" in str(refused.value)
    assert "--force" in str(refused.value)


def test_the_settings_of_the_guard_are_numbers_when_they_are_asked() -> None:
    assert Settings().segment_rows_number == 200_000_000
    assert Settings(segment_timeout="5").segment_timeout_length == timedelta(seconds=5)
    assert "secret" not in repr(Settings(reader_url="postgresql://reader:secret@db/shop"))
