from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from core.database import Database
from core.definitions import publish, withdraw
from core.errors import ConflictError, NotFoundError
from customers.tables import customer_event, event_key, profile
from segments.membership import count_members, is_member, matching, members
from segments.refresh import RefreshResult, refresh_segments
from segments.tables import membership, segment_refresh
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row

ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
BUYERS = {"segment": "buyers", "who": {"event": "order_placed", "within": "30d"}}


def publish_segment(database: Database, document: dict[str, Any]) -> None:
    with database.transaction() as connection:
        slug = document["segment"]
        publish(connection, "segment", slug, document=document, source="", file=f"segments/{slug}.yaml", now=NOW)


def refresh(database: Database, now: datetime = NOW, only: list[str] | None = None) -> list[RefreshResult]:
    with database.transaction() as connection:
        return refresh_segments(connection, SHOP, now, only)


def counts(results: list[RefreshResult]) -> list[tuple[str, int, int, int]]:
    return [(one.segment, one.member_count, one.entered, one.left) for one in results]


def moves(database: Database) -> list[tuple[str, int | None, datetime, dict[str, Any]]]:
    event = customer_event.c
    query = select(event.name, event.profile_id, event.occurred_at, event.properties).order_by(event.id)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query.where(event.name.like("segment%")))]


def ids_of(database: Database, segment: str) -> list[int]:
    with database.read() as connection:
        return members(connection, segment)


@pytest.fixture(autouse=True)
def people(database: Database) -> None:
    """Alice bought 10 days ago, Bob 29 days ago, Carol and Dave never."""
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, CAROL, DAVE)])
        orders = [(101, ALICE, 10), (102, BOB, 29)]
        rows = [event_row(number, who, "order_placed", NOW - days * DAY) for number, who, days in orders]
        connection.execute(insert(customer_event), rows)


def test_first_build_marks_its_events_when_people_were_there_before(database: Database) -> None:
    publish_segment(database, BUYERS)
    assert counts(refresh(database)) == [("buyers", 2, 2, 0)]
    assert ids_of(database, "buyers") == [ALICE, BOB]
    initial = {"segment": "buyers", "initial": True}
    assert moves(database) == [
        ("segment_entered", ALICE, NOW, initial),
        ("segment_entered", BOB, NOW, initial),
    ]


def test_exactly_those_who_moved_are_logged_when_a_window_ages(database: Database) -> None:
    publish_segment(database, BUYERS)
    refresh(database)
    with database.transaction() as connection:
        connection.execute(insert(customer_event), [event_row(900, CAROL, "order_placed", NOW + DAY)])
    later = NOW + 2 * DAY
    assert counts(refresh(database, later)) == [("buyers", 2, 1, 1)]
    assert ids_of(database, "buyers") == [ALICE, CAROL]
    assert moves(database)[2:] == [
        ("segment_entered", CAROL, later, {"segment": "buyers"}),
        ("segment_left", BOB, later, {"segment": "buyers"}),
    ]


def test_nothing_changes_when_a_refresh_is_repeated(database: Database) -> None:
    publish_segment(database, BUYERS)
    refresh(database)
    before = moves(database)
    assert counts(refresh(database)) == [("buyers", 2, 0, 0)]
    assert moves(database) == before


def test_a_move_is_logged_once_when_somebody_flaps_within_one_instant(database: Database) -> None:
    publish_segment(database, BUYERS)
    for status in ("active", "erased", "active"):
        with database.transaction() as connection:
            connection.execute(update(profile).where(profile.c.id == BOB).values(status=status))
        refresh(database)
    names = [name for name, who, _at, _properties in moves(database) if who == BOB]
    assert names == ["segment_entered", "segment_left"]
    assert ids_of(database, "buyers") == [ALICE, BOB]
    with database.read() as connection:
        keys = connection.scalars(select(event_key.c.key).order_by(event_key.c.key)).all()
    assert len(keys) == len(moves(database))


def test_only_entering_is_no_first_build_when_an_empty_segment_gets_its_first_member(database: Database) -> None:
    publish_segment(database, {"segment": "french", "who": {"attribute": "country", "is": "FR"}})
    refresh(database)
    with database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == DAVE).values(country="FR"))
    refresh(database, NOW + DAY)
    assert moves(database) == [("segment_entered", DAVE, NOW + DAY, {"segment": "french"})]


def test_merged_and_erased_people_leave_when_they_are_no_longer_active(database: Database) -> None:
    publish_segment(database, {"segment": "all_people", "who": {"not": {"attribute": "country", "is": "XX"}}})
    refresh(database)
    with database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == CAROL).values(status="merged", merged_into=ALICE))
        connection.execute(update(profile).where(profile.c.id == DAVE).values(status="erased"))
    refresh(database, NOW + DAY)
    assert ids_of(database, "all_people") == [ALICE, BOB]


def test_nested_segment_is_asked_as_it_is_now_when_its_own_refresh_is_old(database: Database) -> None:
    publish_segment(database, {"segment": "a_loyal", "who": [{"segment": "buyers"}, {"not": {"segment": "late"}}]})
    publish_segment(database, {"segment": "late", "who": {"not": {"event": "order_placed", "within": "20d"}}})
    publish_segment(database, BUYERS)
    assert counts(refresh(database)) == [("buyers", 2, 2, 0), ("late", 3, 3, 0), ("a_loyal", 1, 1, 0)]
    refresh(database, NOW + 15 * DAY, only=["a_loyal"])
    assert ids_of(database, "a_loyal") == []
    assert ids_of(database, "buyers") == [ALICE, BOB]


def test_refresh_says_what_is_wrong_when_segments_contain_each_other(database: Database) -> None:
    publish_segment(database, {"segment": "a", "who": {"segment": "b"}})
    publish_segment(database, {"segment": "b", "who": {"not": {"segment": "a"}}})
    with pytest.raises(ConflictError, match="a → b → a"):
        refresh(database)


def test_refresh_names_the_nearest_segment_when_asked_for_an_unknown_one(database: Database) -> None:
    publish_segment(database, BUYERS)
    with pytest.raises(NotFoundError, match="did you mean 'buyers'"):
        refresh(database, only=["buyer"])


def test_members_are_forgotten_when_a_segment_is_withdrawn(database: Database) -> None:
    publish_segment(database, BUYERS)
    refresh(database)
    with database.transaction() as connection:
        withdraw(connection, "segment", "buyers", NOW)
    assert refresh(database) == []
    with database.read() as connection:
        assert not connection.execute(select(membership)).all()
        assert not connection.execute(select(segment_refresh)).all()


def test_refresh_leaves_a_row_when_it_is_done(database: Database) -> None:
    publish_segment(database, BUYERS)
    [result] = refresh(database)
    with database.read() as connection:
        row = connection.execute(select(segment_refresh)).one()
        assert count_members(connection, "buyers") == 2
        assert is_member(connection, "buyers", BOB)
        assert not is_member(connection, "buyers", DAVE)
    assert (row.segment, row.version, row.refreshed_at, row.member_count) == ("buyers", 1, NOW, 2)
    assert (row.entered_count, row.left_count, row.seconds) == (2, 0, pytest.approx(result.seconds))


def test_batch_is_answered_from_the_data_when_no_refresh_ever_ran(database: Database) -> None:
    publish_segment(database, BUYERS)
    rule = parse({"any": [{"segment": "buyers"}, {"attribute": "country", "is": "FR"}]})
    with database.read() as connection:
        assert matching(connection, rule, [BOB, CAROL, BOB, 999], NOW, SHOP) == {BOB}
        assert matching(connection, rule, [], NOW, SHOP) == set()
