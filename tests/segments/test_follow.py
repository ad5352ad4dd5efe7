"""A tick at a time: who is asked again, what is told, and what happens when something fails or two tick at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, insert, select, update

from core.database import Database
from core.definitions import publish
from core.runtime import Runtime
from customers.lists import add_to_list
from customers.tables import customer_event, profile
from customers.touches import touch
from segments.audit import DifferenceKind, audit_segments, list_differences, repair_differences
from segments.compiling.compiler import _LEAVES, _DidNotObject
from segments.following import follow
from segments.following.faults import EVERYBODY, list_faults
from segments.language.timing import _TIMINGS
from segments.membership import members
from segments.membership_writes import ENTERED, LEFT
from segments.refresh import refresh_all
from segments.tables import membership, segment_follow, segment_refresh
from tests.segments.people import DAY, NOW, event_row, profile_row
from tests.segments.traffic import open_shop

ALICE, BOB, CAROL = 1, 2, 3
SECOND = timedelta(seconds=1)


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    """Three people, and a mark behind them."""
    opened = open_shop(database, tmp_path)
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, CAROL)])
    follow(opened, NOW)
    yield opened
    opened.vault.close()


def see(runtime: Runtime, number: int, who: int, when: timedelta = -SECOND) -> None:
    """Let somebody view a page."""
    row = event_row(number, who, "page_viewed", NOW + when)
    del row["transaction_no"]
    with runtime.database.transaction() as connection:
        connection.execute(insert(customer_event).values(**row))


def who(runtime: Runtime, slug: str) -> list[int]:
    with runtime.database.read() as connection:
        return members(connection, slug)


def told(runtime: Runtime, slug: str) -> list[tuple[str, int]]:
    row = customer_event.c
    with runtime.database.read() as connection:
        query = select(row.name, row.profile_id, row.properties).where(row.name.in_((ENTERED, LEFT))).order_by(row.id)
        return [(name, number) for name, number, said in connection.execute(query) if said["segment"] == slug]


def test_every_leaf_that_compiles_says_when_it_can_change() -> None:
    assert set(_TIMINGS) == set(_LEAVES) - {_DidNotObject}


def test_somebody_enters_at_the_tick_and_leaves_when_the_event_grows_old(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    assert follow(runtime, NOW).touched == 1
    assert who(runtime, "active") == [ALICE]
    edge = NOW - SECOND + 2 * DAY
    assert follow(runtime, edge).left == 0  # [now - within, now) still begins with it
    result = follow(runtime, edge + timedelta(microseconds=1))
    assert (result.touched, result.evaluated, result.left) == (0, 1, 2)  # of active, and of nested
    assert told(runtime, "active") == [(ENTERED, ALICE), (LEFT, ALICE)]


def test_an_event_of_the_future_counts_when_its_instant_is_past(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE, 5 * SECOND)
    follow(runtime, NOW)
    assert who(runtime, "active") == []
    follow(runtime, NOW + 5 * SECOND)
    assert who(runtime, "active") == []
    follow(runtime, NOW + 6 * SECOND)
    assert who(runtime, "active") == [ALICE]


def test_members_come_back_when_the_clock_is_set_back(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    for instant, expected in ((NOW, [ALICE]), (NOW + 3 * DAY, []), (NOW + DAY, [ALICE]), (NOW - DAY, [])):
        follow(runtime, instant)
        assert who(runtime, "active") == expected, instant


def test_the_ticks_own_events_wake_nobody(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    assert follow(runtime, NOW).entered > 0
    assert follow(runtime, NOW + SECOND).evaluated <= 1  # the page view is passed by the clock, the moves are not read
    assert follow(runtime, NOW + 2 * SECOND).evaluated == 0


def test_an_idle_tick_writes_nothing_within_ten_seconds(runtime: Runtime) -> None:
    follow(runtime, NOW + 20 * SECOND)
    follow(runtime, NOW + 21 * SECOND)
    with runtime.database.read() as connection:
        assert connection.scalar(select(segment_follow.c.ticked_at)) == NOW + 20 * SECOND


def test_a_changed_segment_is_asked_of_everybody_when_what_it_nests_changed(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    follow(runtime, NOW)
    assert who(runtime, "nested") == [ALICE]
    with runtime.database.transaction() as connection:
        document = {"segment": "active", "who": {"not": {"event": "page_viewed", "within": "2d"}}}
        publish(connection, "segment", "active", document=document, source="", file="active.yaml", now=NOW)
    follow(runtime, NOW + SECOND)
    assert who(runtime, "nested") == who(runtime, "active") == [BOB, CAROL]


def test_so_many_people_are_asked_at_once_when_following_them_would_take_longer(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        add_to_list(connection, "vips", [BOB], NOW)
        touch(connection, [1, *range(2, 200_002)])
    assert follow(runtime, NOW).needs_everybody
    assert who(runtime, "vips") == [BOB]
    assert not follow(runtime, NOW).behind


def test_a_refresh_with_an_older_clock_does_not_bring_back_who_left(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    follow(runtime, NOW)
    late = NOW + 2 * DAY
    follow(runtime, late)
    refresh_all(runtime, ["active"], now=late - 10 * SECOND)  # it read its clock before, and was slower
    follow(runtime, late + SECOND)
    assert told(runtime, "active") == [(ENTERED, ALICE), (LEFT, ALICE)]


def test_others_go_on_when_one_person_cannot_be_asked(runtime: Runtime) -> None:
    for number, person in enumerate((ALICE, BOB, CAROL), start=9_001):
        see(runtime, number, person)
    engine = runtime.database.engine

    def fail(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> tuple[str, Any]:
        is_hit = "features" in statement and is_asked(parameters, BOB)
        return ("SELECT no_such_column FROM profile", ()) if is_hit else (statement, parameters)

    event.listen(engine, "before_cursor_execute", fail, retval=True)
    try:
        follow(runtime, NOW)
    finally:
        event.remove(engine, "before_cursor_execute", fail)
    assert who(runtime, "active") == [ALICE, CAROL]
    with runtime.database.read() as connection:
        faults = list_faults(connection)
    assert {fault.profile_id for fault in faults} == {BOB}
    assert "active" in {fault.segment for fault in faults}
    with runtime.database.transaction() as connection:
        touch(connection, [BOB])
    follow(runtime, NOW)
    assert who(runtime, "active") == [ALICE, BOB, CAROL]
    with runtime.database.read() as connection:
        assert list_faults(connection) == []


def is_asked(parameters: Any, who: int) -> bool:
    values = list(parameters.values()) if isinstance(parameters, dict) else list(parameters)
    lists = [value for value in values if isinstance(value, list)]
    texts = [value for value in values if isinstance(value, str) and value.startswith("[")]
    return any(who in some for some in lists) or any(str(who) in text.strip("[]").split(",") for text in texts)


def test_other_segments_go_on_when_one_cannot_be_asked(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        document = {"segment": "broken", "who": {"segment": "nobody_knows"}}
        publish(connection, "segment", "broken", document=document, source="", file="broken.yaml", now=NOW)
    see(runtime, 9_001, ALICE)
    follow(runtime, NOW)
    assert who(runtime, "active") == [ALICE]
    with runtime.database.read() as connection:
        assert [(one.segment, one.profile_id) for one in list_faults(connection)] == [("broken", EVERYBODY)]


def test_nobody_is_told_twice_when_two_tick_at_once(runtime: Runtime) -> None:
    for number, person in enumerate((ALICE, BOB, CAROL), start=9_001):
        see(runtime, number, person)
    threads = [threading.Thread(target=follow, args=(runtime, NOW + number * SECOND)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told(runtime, "active")) == [(ENTERED, ALICE), (ENTERED, BOB), (ENTERED, CAROL)]


class KilledError(BaseException):
    """As SIGKILL: nothing after it runs."""


@pytest.mark.parametrize("killed_at", range(6))
def test_nothing_is_lost_or_told_twice_when_a_tick_is_killed(runtime: Runtime, killed_at: int) -> None:
    with runtime.database.transaction() as connection:
        document = {"segment": "fresh", "who": {"event": "page_viewed", "within": "1d"}}
        publish(connection, "segment", "fresh", document=document, source="", file="fresh.yaml", now=NOW)
    see(runtime, 9_001, ALICE)
    commits = 0

    def kill(_connection: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits > killed_at:
            raise KilledError

    event.listen(runtime.database.engine, "commit", kill)
    try:
        follow(runtime, NOW)
    except KilledError:
        pass
    finally:
        event.remove(runtime.database.engine, "commit", kill)
    follow(runtime, NOW + SECOND)
    assert who(runtime, "active") == who(runtime, "fresh") == [ALICE]
    assert told(runtime, "active") == told(runtime, "fresh") == [(ENTERED, ALICE)]
    assert audit_segments(runtime, NOW + SECOND) == []


def test_the_audit_finds_and_repairs_what_somebody_spoilt(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    follow(runtime, NOW)
    with runtime.database.transaction() as connection:
        connection.execute(delete(membership).where(membership.c.segment == "active"))
        connection.execute(insert(membership).values(segment="vips", profile_id=CAROL, entered_at=NOW))
    found = audit_segments(runtime, NOW + SECOND)
    said = [(one.segment, one.profile_id, one.kind) for one in found]
    assert said == [("active", ALICE, DifferenceKind.MISSING), ("vips", CAROL, DifferenceKind.EXTRA)]
    with runtime.database.transaction() as connection:
        assert list_differences(connection) == found
        repair_differences(connection, found)
    assert audit_segments(runtime, NOW + SECOND) == []  # they wait to be asked
    follow(runtime, NOW + SECOND)
    assert audit_segments(runtime, NOW + SECOND) == []
    assert (who(runtime, "active"), who(runtime, "vips")) == ([ALICE], [])


def test_the_audit_passes_over_who_waits_for_the_next_tick(runtime: Runtime) -> None:
    see(runtime, 9_001, ALICE)
    assert audit_segments(runtime, NOW) == []
    follow(runtime, NOW)
    assert audit_segments(runtime, NOW + 2 * DAY) == []


def test_what_turns_by_the_clock_is_asked_again_at_its_rhythm(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        document = {"segment": "newcomers", "who": {"attribute": "created_at", "is": {"within": "1d"}}}
        publish(connection, "segment", "newcomers", document=document, source="", file="newcomers.yaml", now=NOW)
        connection.execute(update(profile).where(profile.c.id == BOB).values(created_at=NOW - SECOND))
    follow(runtime, NOW)
    assert who(runtime, "newcomers") == [BOB]
    follow(runtime, NOW + DAY)
    assert who(runtime, "newcomers") == []
    assert audit_segments(runtime, NOW + DAY) == []
    with runtime.database.read() as connection:
        row = connection.execute(select(segment_refresh).where(segment_refresh.c.segment == "newcomers")).one()
    assert (row.member_count, row.refreshed_at) == (0, NOW + DAY)


def test_what_turns_by_the_clock_is_asked_again_sooner_when_somebody_wants_to_know(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        document = {"segment": "now", "who": {"local_time": {"after": "00:00", "before": "23:45"}}}
        publish(connection, "segment", "now", document=document, source="", file="now.yaml", now=NOW)
    minute = timedelta(minutes=1)
    follow(runtime, NOW)

    def asked_at(at: datetime, at_least: Mapping[str, timedelta] | None = None) -> datetime:
        follow(runtime, at, at_least=at_least)
        with runtime.database.read() as connection:
            query = select(segment_refresh.c.refreshed_at).where(segment_refresh.c.segment == "now")
            refreshed_at: datetime = connection.execute(query).scalar_one()
            return refreshed_at

    assert asked_at(NOW + 5 * minute) == NOW
    assert asked_at(NOW + 5 * minute, {"now": 6 * minute, "vips": minute}) == NOW
    assert asked_at(NOW + 6 * minute, {"now": 6 * minute}) == NOW + 6 * minute
    assert asked_at(NOW + 15 * minute, {"now": DAY}) == NOW + 15 * minute  # its own rhythm is quicker
