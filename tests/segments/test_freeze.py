from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from core.database import Database
from core.errors import ConflictError, InputError, NotFoundError
from core.runtime import Runtime
from customers.list_catalogue import FrozenFrom, drop_list, read_lists
from customers.tables import customer_event, profile, static_list_member
from customers.workspace import get_workspace
from segments.definition import get_segment, load_segments
from segments.freeze import Freezing, freeze
from tests.segments.people import DAY, NOW, event_row, profile_row
from tests.segments.runtimes import open_runtime_on, publish_document

ALICE, BOB, CAROL = 1, 2, 3


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Runtime:
    """Alice bought 40 days ago, Bob 10 days ago, Carol yesterday."""
    runtime = open_runtime_on(database, tmp_path)
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(who) for who in (ALICE, BOB, CAROL)])
        bought = [(101, ALICE, 40), (102, BOB, 10), (103, CAROL, 1)]
        rows = [event_row(number, who, "order_placed", NOW - days * DAY) for number, who, days in bought]
        connection.execute(insert(customer_event), rows)
        who = [{"event": "order_placed", "within": "30d"}]
        publish_document(connection, "segment", "buyers", {"segment": "buyers", "who": who})
    return runtime


def freeze_buyers(runtime: Runtime, as_of: datetime = NOW, *, replaces: bool = False) -> Freezing:
    with runtime.database.read() as connection:
        workspace, segments = get_workspace(connection), load_segments(connection)
        segment = get_segment(connection, "buyers")
    return freeze(runtime, workspace, segment, segments, "spring", as_of, replaces=replaces)


def on_list(runtime: Runtime) -> list[int]:
    member = static_list_member.c
    with runtime.database.read() as connection:
        rows = connection.execute(
            static_list_member.select().where(member.list == "spring").order_by(member.profile_id)
        )
        return [row.profile_id for row in rows]


def test_members_of_now_are_on_the_list_when_a_segment_is_frozen(runtime: Runtime) -> None:
    assert freeze_buyers(runtime) == Freezing("spring", "buyers", 1, NOW, 2)
    assert on_list(runtime) == [BOB, CAROL]
    with runtime.database.read() as connection:
        [found] = read_lists(connection)
    assert (found.name, found.members, found.is_published) == ("spring", 2, False)
    assert found.frozen == FrozenFrom("buyers", 1, NOW, NOW)


def test_who_would_have_been_in_it_is_on_the_list_when_frozen_at_an_instant(runtime: Runtime) -> None:
    assert freeze_buyers(runtime, NOW - 9 * DAY).members == 1  # Alice had bought 31 days before, Carol not yet
    assert on_list(runtime) == [BOB]
    freeze_buyers(runtime, NOW - 10 * DAY, replaces=True)
    assert on_list(runtime) == [ALICE]  # an order counts from the instant behind it; hers was 30 days old to the second


def test_a_list_with_people_on_it_stays_when_it_shall_not_be_replaced(runtime: Runtime) -> None:
    freeze_buyers(runtime)
    with pytest.raises(ConflictError, match=r"2 people are on the list 'spring' already.*--replace"):
        freeze_buyers(runtime, NOW - 9 * DAY)
    assert on_list(runtime) == [BOB, CAROL]


def test_the_future_cannot_be_frozen(runtime: Runtime) -> None:
    with pytest.raises(InputError, match="still to come"):
        freeze_buyers(runtime, NOW + DAY)


def test_a_dear_segment_is_not_frozen_when_it_is_above_the_limit(runtime: Runtime) -> None:
    with pytest.raises(InputError, match="POSTILION_SEGMENT_ROWS"):
        freeze_buyers(replace(runtime, settings=replace(runtime.settings, segment_rows="1")))
    assert on_list(runtime) == []


def test_nobody_is_on_it_and_nothing_is_known_of_it_when_a_list_was_dropped(runtime: Runtime) -> None:
    freeze_buyers(runtime)
    with runtime.database.transaction() as connection:
        assert drop_list(connection, "spring") == 2
        assert drop_list(connection, "spring") == 0
        assert read_lists(connection) == []


def test_the_nearest_name_is_told_when_a_segment_is_unknown(runtime: Runtime) -> None:
    with runtime.database.read() as connection, pytest.raises(NotFoundError, match="did you mean 'buyers'"):
        get_segment(connection, "buyer")
