from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert

from core.database import Database
from customers.tables import customer_event, profile
from segments.overview import Line, read_overview
from segments.refresh import refresh_all
from tests.segments.people import DAY, NOW, event_row, profile_row
from tests.segments.runtimes import open_runtime_on, publish_document

ALICE, BOB = 1, 2


def test_who_came_and_went_in_a_day_is_counted_when_segments_are_listed(database: Database, tmp_path: Path) -> None:
    runtime = open_runtime_on(database, tmp_path)
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(ALICE), profile_row(BOB)])
        connection.execute(insert(customer_event), [event_row(101, ALICE, "order_placed", NOW - 29 * DAY)])
        who = [{"event": "order_placed", "within": "30d"}]
        publish_document(connection, "segment", "buyers", {"segment": "buyers", "name": "Buyers", "who": who})
    with database.read() as connection:
        assert read_overview(connection, NOW) == [Line("buyers", "Buyers", 1, 0, 0, 0, None, None)]
    refresh_all(runtime, now=NOW)
    with database.read() as connection:
        [first] = read_overview(connection, NOW)
    assert (first.members, first.entered, first.left) == (1, 0, 0)  # she was there before anybody looked
    later = NOW + 2 * DAY
    with database.transaction() as connection:
        connection.execute(insert(customer_event), [event_row(902, BOB, "order_placed", NOW + DAY)])
    refresh_all(runtime, now=later)
    with database.read() as connection:
        [second] = read_overview(connection, later)
    assert (second.members, second.entered, second.left, second.refreshed_at) == (1, 1, 1, later)
    assert second.fresh_at is not None
    assert second.fresh_at >= later
