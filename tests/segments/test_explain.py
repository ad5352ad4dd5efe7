from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from core.database import Database
from customers.tables import consent_entry, customer_event, identity, profile, static_list_member
from customers.workspace import get_workspace
from delivery.tables import message
from segments.explaining.explain import Finding, explain
from segments.explaining.standing import Standing, stand
from segments.language.rules import Rule
from segments.refresh import refresh_all
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, consent_row, event_row, identity_row, message_row, profile_row
from tests.segments.runtimes import open_runtime_on, publish_document

ALICE = 1
JUST_BEHIND = timedelta(microseconds=1)
RULE = [
    {"attribute": "country", "is": "DE"},
    {"attribute": "first_name", "is": {"exists": True}},
    {"event": "order_placed", "within": "30d", "sum": {"of": "total", "is": {"gte": 5000}}},
    {"any": [{"segment": "idle"}, {"attribute": "tier", "is": "gold"}]},
]


@pytest.fixture
def alice(database: Database) -> None:
    """She bought yesterday and 12 days ago."""
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(ALICE, country="DE", attributes={"tier": "gold"})])
        rows = [
            event_row(101, ALICE, "order_placed", NOW - DAY, total=4000, currency="EUR"),
            event_row(102, ALICE, "order_placed", NOW - 40 * DAY, total=500, currency="GBP"),
        ]
        connection.execute(insert(customer_event), rows)


def standing_of(database: Database, who: object, **segments: object) -> Standing:
    rules: dict[str, Rule] = {"it": parse(who), **{name: parse(inner) for name, inner in segments.items()}}
    with database.read() as connection:
        return stand(connection, "it", rules, ALICE, NOW, SHOP)


@pytest.mark.usefixtures("alice")
def test_each_condition_is_told_with_its_value_when_a_profile_is_explained(database: Database) -> None:
    segments = {"idle": parse({"not": {"event": "order_placed", "within": "14d"}})}
    with database.read() as connection:
        findings = explain(connection, parse(RULE), ALICE, NOW, SHOP, segments=segments)
    missing = "needs 1,000 more total of order_placed within 30d"
    assert findings == [
        Finding(0, "all of", False),
        Finding(1, "attribute country eq DE", True, "DE"),
        Finding(1, "attribute first_name exists true", False),
        Finding(1, "event order_placed within 30d, sum of total gte 5000", False, 4000.0, missing),
        Finding(1, "any of", True),
        Finding(2, "segment idle", False),
        Finding(3, "not", False),
        Finding(4, "event order_placed within 14d", True, 1),
        Finding(2, "attribute tier eq gold", True, "gold"),
    ]


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("condition", "found", "needs"),
    [
        ({"event": "order_placed", "count": {"gte": 4}}, 2, "needs 2 more order_placed"),
        ({"event": "order_placed", "where": {"total": {"gt": 9}}, "within": "2d", "count": {"gt": 3}}, 1,
         "needs 3 more order_placed that fit within 2d"),
        ({"event": "order_placed", "last": {"of": "currency", "is": "EUR"}}, "EUR", None),
        ({"event": "order_placed", "first": {"of": "currency", "is": "EUR"}}, "GBP", None),
        ({"event": "order_placed", "count": {"gte": 2}, "avg": {"of": "total", "is": {"gt": 9000}}},
         "count 2, avg of total 2250", None),
        ({"event": "cart_updated", "max": {"of": "total", "is": {"gt": 1}}}, None, None),
        ({"consent": "email.marketing", "is": "granted"}, "granted since 2026-06-08 (opt_in)", None),
        ({"consent": "email.service", "is": "granted"}, "never said", None),
        ({"consent": "sms.marketing", "is": "granted"}, "no address", None),
        ({"list": "vips"}, "since 2026-06-05", None),
        ({"list": "press"}, None, None),
        ({"message": "spring", "was": "opened"}, "newest sent 2026-06-09 08:00", None),
        ({"message": "summer", "was": "opened"}, "no such message", None),
    ],
)  # fmt: skip
def test_what_was_found_is_told_when_a_condition_looks_at_it(
    database: Database, condition: object, found: object, needs: str | None
) -> None:
    with database.transaction() as connection:
        connection.execute(insert(identity), [identity_row(1, ALICE, "email", "alice")])
        said = consent_row(1, "alice", "email", "marketing", "granted", NOW - 2 * DAY) | {"basis": "opt_in"}
        connection.execute(insert(consent_entry), [said])
        connection.execute(
            insert(static_list_member), [{"list": "vips", "profile_id": ALICE, "added_at": NOW - 5 * DAY}]
        )
        sent = message_row(1, ALICE, "spring", status="sent", sent_at=NOW - DAY)
        connection.execute(insert(message), [sent])
    with database.read() as connection:
        [finding] = explain(connection, parse(condition), ALICE, NOW, SHOP, segments={})
    assert (finding.found, finding.needs) == (found, needs)


@pytest.mark.usefixtures("alice")
def test_the_next_change_is_told_when_a_window_ends(database: Database) -> None:
    standing = standing_of(database, {"event": "order_placed", "within": "14d"})
    assert (standing.holds, standing.changes_at) == (True, NOW + 13 * DAY + JUST_BEHIND)
    assert standing.findings[0].until == standing.changes_at


@pytest.mark.usefixtures("alice")
def test_the_rule_changes_with_the_condition_that_decides(database: Database) -> None:
    bought, viewed = {"event": "order_placed", "within": "50d"}, {"event": "page_viewed", "within": "9d"}
    standing = standing_of(database, {"any": [bought, viewed]})
    assert standing.changes_at == NOW + 49 * DAY + JUST_BEHIND
    both = [{**bought, "count": {"gte": 2}}, {"not": {"segment": "quiet"}}]
    nested = standing_of(database, both, quiet={"not": {"event": "order_placed", "within": "5d"}})
    assert (nested.holds, nested.changes_at) == (True, NOW + 4 * DAY + JUST_BEHIND)


@pytest.mark.usefixtures("alice")
def test_nothing_is_foretold_when_time_alone_changes_nothing(database: Database) -> None:
    standing = standing_of(database, [{"event": "order_placed"}, {"attribute": "country", "is": "DE"}])
    assert (standing.holds, standing.changes_at, standing.by_clock) == (True, None, False)
    dated = standing_of(database, {"attribute": "member_since", "is": {"older_than": "1y"}})
    assert (dated.changes_at, dated.by_clock) == (None, True)


@pytest.mark.usefixtures("alice")
def test_the_end_of_a_consent_is_told_when_it_runs_out(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(identity), [identity_row(1, ALICE, "email", "alice")])
        said = consent_row(1, "alice", "email", "marketing", "granted", NOW - DAY) | {"expires_at": NOW + 3 * DAY}
        connection.execute(insert(consent_entry), [said])
    standing = standing_of(database, {"consent": "email.marketing", "is": "granted"})
    assert standing.findings[0].found == "granted since 2026-06-09, until 2026-06-13"
    assert (standing.holds, standing.changes_at) == (True, NOW + 3 * DAY + JUST_BEHIND)


def test_the_stored_membership_stands_beside_the_verdict_when_they_differ(database: Database, tmp_path: Path) -> None:
    runtime = open_runtime_on(database, tmp_path)
    document = {"segment": "buyers", "who": [{"event": "order_placed", "within": "30d"}]}
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(ALICE)])
        connection.execute(insert(customer_event), [event_row(101, ALICE, "order_placed", NOW - DAY)])
        publish_document(connection, "segment", "buyers", document)
    refresh_all(runtime, now=NOW)
    with database.transaction() as connection:
        connection.execute(delete(customer_event).where(customer_event.c.id == 101))
    rules = {"buyers": parse(document["who"])}
    with database.read() as connection:
        standing = stand(connection, "buyers", rules, ALICE, NOW, get_workspace(connection))
    assert (standing.holds, standing.entered_at, standing.refreshed_at) == (False, NOW, NOW)
    assert not standing.is_stored_right
