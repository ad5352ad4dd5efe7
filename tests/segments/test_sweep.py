"""The sweep: exactly who changes between two instants, piece by piece where there are many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from core.cursors import Position
from core.database import Database
from customers.tables import consent_entry, customer_event, identity, profile
from segments.following.sweep import sweep
from segments.language.timing import BY_THE_MINUTE, BY_THE_QUARTER, STEADY, Timing, timing_of_rule, windowed
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, consent_row, event_row, identity_row, profile_row

MICRO = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
VIEWS = windowed(["page_viewed"], DAY)
LATEST = Position(2**62, 2**62)
ORDERS = windowed(["order_placed"], 3 * DAY) | windowed(["order_returned"], None)


def happen(database: Database, *instants: timedelta) -> None:
    """Person n views a page at the nth instant after NOW."""
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in range(1, len(instants) + 1)])
        rows = [event_row(n, n, "page_viewed", NOW + after) for n, after in enumerate(instants, start=1)]
        connection.execute(insert(customer_event), rows)


@pytest.mark.parametrize(
    ("after", "is_swept"),
    [(-DAY - MICRO, False), (-DAY, True), (-DAY + SECOND - MICRO, True), (-DAY + SECOND, False)],
)
def test_an_event_is_met_when_it_leaves_its_window(database: Database, after: timedelta, is_swept: bool) -> None:
    happen(database, after)
    with database.read() as connection:
        assert sweep(connection, VIEWS, NOW, NOW + SECOND, read=LATEST, limit=100).ids == ({1} if is_swept else set())


@pytest.mark.parametrize(("after", "is_swept"), [(-MICRO, False), (timedelta(), True), (SECOND, False)])
def test_an_event_is_met_when_it_ceases_to_be_of_the_future(
    database: Database, after: timedelta, is_swept: bool
) -> None:
    happen(database, after)
    with database.read() as connection:
        assert sweep(connection, VIEWS, NOW, NOW + SECOND, read=LATEST, limit=100).ids == ({1} if is_swept else set())


def test_a_sweep_comes_to_its_end_in_pieces_when_many_are_met(database: Database) -> None:
    happen(database, *[n // 4 * SECOND for n in range(22)], *[40 * SECOND] * 9)
    since, until, pieces = NOW, NOW + timedelta(minutes=1), 0
    met: set[int] = set()
    with database.read() as connection:
        while since < until:
            found = sweep(connection, VIEWS, since, until, read=LATEST, limit=5)
            assert found.reached > since
            met |= found.ids
            since, pieces = found.reached, pieces + 1
    assert met == set(range(1, 32))
    assert pieces < 20


def test_an_event_is_left_to_the_cursor_when_that_has_not_come_to_it(database: Database) -> None:
    happen(database, timedelta(), timedelta(), timedelta())
    with database.read() as connection:
        event = customer_event.c
        second = connection.execute(select(event.transaction_no, event.id).where(event.profile_id == 2)).one()
        found = sweep(connection, VIEWS, NOW, NOW + SECOND, read=Position(*second), limit=100)
    assert found.ids == {1, 2}


@pytest.mark.parametrize(
    ("after", "is_swept"), [(timedelta(), False), (MICRO, True), (SECOND, True), (2 * SECOND, False)]
)
def test_a_person_is_met_when_their_consent_runs_out(database: Database, after: timedelta, is_swept: bool) -> None:
    grant = consent_row(1, "email-1", "email", "marketing", "granted", NOW - DAY) | {"expires_at": NOW + after}
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(1)])
        connection.execute(insert(identity), [identity_row(1, 1, "email", "email-1")])
        connection.execute(insert(consent_entry), [grant])
    with database.read() as connection:
        found = sweep(connection, Timing(expires=True), NOW, NOW + SECOND, read=LATEST, limit=100)
    assert found.ids == ({1} if is_swept else set())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"attribute": "tier", "is": "gold"}, STEADY),
        ({"list": "vips"}, STEADY),
        ({"event": "page_viewed", "within": "1d"}, VIEWS),
        ({"not": {"any": [{"event": "page_viewed", "within": "1d"}, {"list": "vips"}]}}, VIEWS),
        ({"event": "page_viewed"}, windowed(["page_viewed"], None)),
        ({"consent": "email.marketing", "is": "granted"}, Timing(expires=True)),
        ({"attribute": "created_at", "is": {"within": "7d"}}, Timing(rhythm=BY_THE_MINUTE)),
        ({"anniversary": {"attribute": "birthday", "in_next": "7d"}}, Timing(rhythm=BY_THE_QUARTER)),
        (
            {"owns": {"product": "tea", "within": "3d"}},
            windowed(["order_placed"], 3 * DAY) | windowed(["order_returned"], None),
        ),
        ({"sequence": ["a", "b"], "within": "3d"}, windowed(["a", "b"], None)),
    ],
)
def test_a_rule_says_when_it_can_change(rule: dict[str, object], expected: Timing) -> None:
    assert timing_of_rule(parse(rule)) == expected
