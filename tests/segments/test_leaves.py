"""The longer leaves, each at its edges, on every engine: what they mean when a random rule would hardly ever ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from core.database import Database
from core.located import KeyPath
from customers.account_tables import account, account_member
from customers.tables import customer_event, customer_order, order_line, product, profile
from customers.workspace import AttributeSpec, ValueKind, Workspace
from segments.compiling.compiler import compile_rules
from segments.explaining.explain import Finding, explain
from segments.language.checks import check_population, check_words
from segments.language.parser import parse_conditions
from segments.language.rules import Constant, iter_leaves
from tests.segments.engines import Engines
from tests.segments.leaf_rows import account_row, line_row, member_row, order_row, product_row
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row

ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def people(**rows: dict[str, Any]) -> list[dict[str, Any]]:
    numbers = {"alice": ALICE, "bob": BOB, "carol": CAROL, "dave": DAVE}
    return [profile_row(number, **rows.get(name, {})) for name, number in numbers.items()]


# -- sequence ---------------------------------------------------------------------------------------------------------


def happened(*names: tuple[str, timedelta]) -> list[dict[str, Any]]:
    """Events of Alice, each with how long ago; their ids follow the order in which they are written."""
    return [event_row(number, ALICE, name, NOW - ago) for number, (name, ago) in enumerate(names, start=1)]


def _long_ago(count: int) -> list[dict[str, Any]]:
    """So much of Alice that her events are put in order instead of joined; it changes nothing."""
    return [event_row(1_000 + number, ALICE, "c", NOW - (400 + number) * DAY) for number in range(count)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (happened(("a", 3 * DAY), ("b", 2 * DAY), ("c", DAY)), True),
        (happened(("b", 3 * DAY), ("a", 2 * DAY), ("c", DAY)), False),
        # the first a is too early, and the first b too: only a later choice of both is in time
        (happened(("a", 30 * DAY), ("b", 29 * DAY), ("a", 3 * DAY), ("b", 2 * DAY), ("c", DAY)), True),
        (happened(("a", 30 * DAY), ("a", 3 * DAY), ("b", 20 * DAY), ("c", DAY)), False),
        (happened(("a", 9 * DAY), ("b", 8 * DAY), ("c", 3 * DAY), ("a", 2 * DAY), ("c", DAY)), True),
        (happened(("a", 8 * DAY), ("b", 2 * DAY), ("c", DAY)), False),  # a whole week is one instant too long
        (happened(("a", 8 * DAY - TICK), ("b", 2 * DAY), ("c", DAY)), True),
        (happened(("a", DAY), ("b", DAY), ("c", DAY)), True),  # at one instant the ids decide
        (happened(("c", DAY), ("b", DAY), ("a", DAY)), False),
        (happened(("a", 2 * DAY), ("b", DAY), ("c", timedelta())), False),  # not before now
        (happened(("a", 2 * DAY), ("b", DAY), ("c", TICK)), True),
        ([event_row(1, ALICE, "a", NOW - 3 * DAY), event_row(2, BOB, "b", NOW - 2 * DAY)], False),
    ],
)
@pytest.mark.parametrize("old", [0, 50], ids=["few events", "many events"])
def test_a_sequence_is_found_when_any_choice_of_its_events_is_in_order_and_in_time(
    engines: Engines, events: list[dict[str, Any]], expected: bool, old: int
) -> None:
    engines.load({profile: people(), customer_event: [*events, *_long_ago(old)]})
    rule = parse({"sequence": ["a", "b", "c"], "within": "7d"})
    assert engines.members(rule) == ([ALICE] if expected else [])
    assert engines.members(rule, batch=[ALICE, BOB]) == ([ALICE] if expected else [])
    assert engines.members(rule, batch=[CAROL]) == []


def test_one_event_is_only_one_part_when_it_fits_several(engines: Engines) -> None:
    alice = [event_row(1, ALICE, "a", NOW - 2 * DAY), event_row(2, ALICE, "a", NOW - DAY)]
    bob = [event_row(3, BOB, "a", NOW - DAY)]
    engines.load({profile: people(), customer_event: alice + bob})
    assert engines.members(parse({"sequence": ["a", "a"]})) == [ALICE]
    assert engines.members(parse({"sequence": ["a", "a", "a"]})) == []


def test_sequences_do_not_disturb_one_another_when_many_are_asked_at_once(engines: Engines) -> None:
    def event(number: int, who: int, ago: int, value: Any) -> dict[str, Any]:
        return event_row(number, who, "a", NOW - ago * DAY, value=value)

    rows = [event(1, ALICE, 3, 1), event(2, ALICE, 2, True), event(3, BOB, 3, True), event(4, BOB, 2, 1)]
    engines.load({profile: people(), customer_event: rows})

    def then(first: Any, second: Any) -> dict[str, Any]:
        return {"sequence": [{"event": "a", "where": {"value": one}} for one in (first, second)]}

    assert engines.members(parse({"any": [then(1, True), then(True, 1)]})) == [ALICE, BOB]
    assert engines.members(parse({"all": [then(1, True), {"not": then(True, 1)}]})) == [ALICE]
    assert engines.members(parse({"not": {"any": [then(1, 1), then(1, True)]}})) == [BOB, CAROL, DAVE]


# -- owns -------------------------------------------------------------------------------------------------------------

ORDERS = {
    profile: people(),
    product: [product_row("kettle", "kitchen"), product_row("green-tea", "tea"), product_row("cup", None)],
    customer_order: [
        order_row(1, ALICE, NOW - 400 * DAY),
        order_row(2, ALICE, NOW - 10 * DAY),
        order_row(3, BOB, NOW - 365 * DAY),
        order_row(4, BOB, NOW - DAY, "return"),
        order_row(5, CAROL, NOW - 365 * DAY),
        order_row(6, DAVE, NOW),
        order_row(7, None, NOW - DAY),
    ],
    order_line: [
        line_row(1, "kettle", 1),
        line_row(2, "green-tea", 3),
        line_row(2, "shipping", 1, line_no=2, kind="fee"),
        line_row(3, "kettle", 1),
        line_row(3, "green-tea", 2, line_no=2),
        line_row(4, "kettle", -1),
        line_row(4, "green-tea", -1, line_no=2),
        line_row(5, "cup", 1),
        line_row(6, "kettle", 1),
        line_row(7, "kettle", 1),
    ],
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"product": "kettle"}, [ALICE]),  # Bob gave his back, Dave's is being ordered at this instant
        ({"product": "kettle", "within": "365d"}, []),
        ({"product": "green-tea"}, [ALICE, BOB]),
        ({"product": "green-tea", "within": "365d"}, [ALICE, BOB]),
        ({"product": "green-tea", "within": "364d"}, [ALICE]),
        ({"product": ["kettle", "cup"]}, [ALICE, CAROL]),
        ({"product": "cup", "within": "365d"}, [CAROL]),
        ({"product": "shipping"}, []),
        ({"product": "Kettle"}, []),
        ({"category": "tea"}, [ALICE, BOB]),
        ({"category": ["kitchen", "garden"]}, [ALICE]),
        ({"category": "garden"}, []),
    ],
)
def test_what_was_bought_is_owned_when_it_was_not_given_back(
    engines: Engines, asked: dict[str, Any], expected: list[int]
) -> None:
    engines.load(ORDERS)
    rule = parse({"owns": asked})
    assert engines.members(rule) == expected
    assert engines.members(rule, batch=[BOB, CAROL]) == [one for one in expected if one in (BOB, CAROL)]
    others = [one for one in (ALICE, BOB, CAROL, DAVE) if one not in expected]
    assert engines.members(parse({"not": {"owns": asked}})) == others


# -- near -------------------------------------------------------------------------------------------------------------


def at(latitude: Any, longitude: Any) -> dict[str, Any]:
    return {"attributes": {"latitude": latitude, "longitude": longitude}}


@pytest.mark.parametrize(
    ("position", "point", "km", "expected"),
    [
        ((52.52, 13.405), (48.1372, 11.5756), 504.306, True),  # from Berlin to Munich
        ((52.52, 13.405), (48.1372, 11.5756), 504.305, False),
        ((52.52, 13.405), (52.52, 13.405), 0.001, True),
        ((0, 179.9), (0, -179.9), 22.24, True),  # over the date line
        ((0, 179.9), (0, -179.9), 22.23, False),
        ((0, -179.9), (0, 180), 12, True),
        ((89.9, 0), (89.9, 180), 22.3, True),  # over the pole
        ((89.9, 0), (89.9, 180), 22.2, False),
        ((-90, 77), (-90, 0), 1, True),
        ((10, 20), (-10, -160), 20016, True),  # the whole Earth is half its circumference wide
        ((10, 20), (-10, -160), 20000, False),
        ((90.001, 0), (90, 0), 9999, False),
        ((0, 180.001), (0, 180), 9999, False),
        (("52.52", 13.405), (52.52, 13.405), 9999, False),
        ((None, 13.405), (52.52, 13.405), 9999, False),
        ((True, 1), (1, 1), 9999, False),
    ],
)
def test_a_profile_is_near_when_the_great_circle_is_no_longer_than_asked(
    engines: Engines, position: tuple[Any, Any], point: tuple[float, float], km: float, expected: bool
) -> None:
    engines.load({profile: people(alice=at(*position))})
    rule = {"near": {"lat": point[0], "lon": point[1], "km": km}}
    assert engines.members(parse(rule)) == ([ALICE] if expected else [])
    assert (ALICE in engines.members(parse({"not": rule}))) is not expected


# -- anniversary and local_time ---------------------------------------------------------------------------------------


def born(day: str | None) -> dict[str, Any]:
    return {"attributes": {"member_since": day}}


@pytest.mark.parametrize(
    ("now", "days", "expected"),
    [
        ("2027-02-27T12:00Z", 1, []),
        ("2027-02-27T12:00Z", 2, [ALICE, BOB]),  # in a common year 29 February returns on the 28th
        ("2027-02-28T12:00Z", 1, [ALICE, BOB]),
        ("2027-03-01T12:00Z", 1, [CAROL]),
        ("2028-02-28T12:00Z", 1, [BOB]),
        ("2028-02-29T12:00Z", 1, [ALICE]),
        ("2027-12-25T12:00Z", 7, []),
        ("2027-12-25T12:00Z", 66, [BOB, DAVE]),  # over New Year, to 28 February
        ("2027-12-25T12:00Z", 67, [ALICE, BOB, DAVE]),
        ("2027-03-02T12:00Z", 364, [BOB, DAVE]),
        ("2027-03-02T12:00Z", 365, [ALICE, BOB, DAVE]),
        ("2027-03-02T12:00Z", 366, [ALICE, BOB, CAROL, DAVE]),
    ],
)
def test_a_date_returns_once_a_year_when_leap_days_and_new_year_come(
    engines: Engines, now: str, days: int, expected: list[int]
) -> None:
    rows = people(alice=born("2004-02-29"), bob=born("1990-02-28"), carol=born("1999-03-01"), dave=born("2026-01-02"))
    engines.load({profile: rows})
    rule = parse({"anniversary": {"attribute": "member_since", "in_next": f"{days}d"}})
    assert engines.members(rule, now=datetime.fromisoformat(now)) == expected


@pytest.mark.parametrize("day", [None, "2026-06-18", "2026-02-30", "06-12", 612])
def test_a_date_does_not_return_when_it_is_still_to_come_or_none(engines: Engines, day: Any) -> None:
    engines.load({profile: people(alice=born(day))})
    rule = {"anniversary": {"attribute": "member_since", "in_next": "7d"}}
    assert engines.members(parse(rule)) == []
    assert engines.members(parse({"not": rule})) == [ALICE, BOB, CAROL, DAVE]


def test_the_persons_own_calendar_decides_when_it_is_another_day_there(engines: Engines) -> None:
    birthday = {"birth_month": 6, "birth_day": 11}
    rows = people(
        alice={**birthday, "timezone": "Pacific/Kiritimati"},  # where it is 01:00 on the 11th
        bob={**birthday, "timezone": "America/Los_Angeles"},
        carol={**birthday, "timezone": "Mars/Olympus"},  # unknown: as the workspace, in Berlin
        dave=birthday,
    )
    engines.load({profile: rows})
    rule = parse({"anniversary": {"attribute": "birthday", "in_next": "1d"}})
    assert engines.members(rule, now=datetime(2026, 6, 10, 11, tzinfo=UTC)) == [ALICE]
    assert engines.members(rule, now=datetime(2026, 6, 10, 22, tzinfo=UTC)) == [ALICE, CAROL, DAVE]
    assert engines.members(rule, now=datetime(2026, 6, 11, 10, tzinfo=UTC)) == [BOB, CAROL, DAVE]


@pytest.mark.parametrize(
    ("now", "asked", "expected"),
    [
        ("2026-06-10T08:00Z", {"from": "10:00", "to": "12:00"}, [ALICE, DAVE]),  # 10:00 in Berlin, 04:00 in New York
        ("2026-06-10T07:59:59.999999Z", {"from": "10:00", "to": "12:00"}, []),
        ("2026-06-10T10:00Z", {"from": "10:00", "to": "12:00"}, []),
        ("2026-06-10T08:00Z", {"from": "22:00", "to": "06:00"}, [BOB]),
        ("2026-06-10T08:00Z", {"to": "10:00"}, [BOB]),
        ("2026-06-10T08:00Z", {"weekday": "wed"}, [ALICE, BOB, CAROL, DAVE]),
        ("2026-06-10T16:00Z", {"weekday": "thu"}, [CAROL]),  # in Tokyo it is one o'clock
        ("2026-06-12T22:30Z", {"from": "22:00", "to": "06:00", "weekday": "fri"}, [ALICE, DAVE]),  # begun on Friday
        ("2026-06-13T20:30Z", {"from": "22:00", "to": "06:00", "weekday": "fri"}, []),
        ("2026-03-29T00:59:59Z", {"from": "02:00", "to": "03:00"}, []),  # the clocks jump from two to three
        ("2026-03-29T01:00:00Z", {"from": "02:00", "to": "03:00"}, []),
        ("2026-03-29T01:00:00Z", {"from": "03:00", "to": "04:00"}, [ALICE, DAVE]),
        ("2026-10-25T00:30:00Z", {"from": "02:00", "to": "03:00"}, [ALICE, DAVE]),  # and show this hour twice
        ("2026-10-25T01:30:00Z", {"from": "02:00", "to": "03:00"}, [ALICE, DAVE]),
        ("2026-10-25T02:00:00Z", {"from": "02:00", "to": "03:00"}, []),
    ],
)
def test_the_wall_clock_decides_when_zones_differ_and_clocks_change(
    engines: Engines, now: str, asked: dict[str, Any], expected: list[int]
) -> None:
    rows = people(
        alice={"timezone": "Europe/Berlin"}, bob={"timezone": "America/New_York"}, carol={"timezone": "Asia/Tokyo"}
    )
    engines.load({profile: rows})
    instant = datetime.fromisoformat(now)
    assert engines.members(parse({"local_time": asked}), now=instant) == expected
    others = [one for one in (ALICE, BOB, CAROL, DAVE) if one not in expected]
    assert engines.members(parse({"not": {"local_time": asked}}), now=instant) == others


# -- account ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"key": "acme"}, [ALICE, BOB]),
        ({"country": "GB", "role": "buyer"}, [ALICE]),
        ({"role": {"ne": "buyer"}}, [ALICE, BOB, CAROL]),
        ({"key": "beta", "role": "buyer"}, []),  # one account has to pass both
        ({"where": {"employees": {"gte": 50}}}, [ALICE, BOB]),
        ({"where": {"sectors": "food", "employees": {"exists": False}}}, [ALICE, CAROL]),
        ({"name": {"starts_with": "Be"}}, [ALICE, CAROL]),
        ({"key": {"exists": True}}, [ALICE, BOB, CAROL]),
        ({"country": {"exists": False}}, [ALICE, CAROL]),
    ],
)
def test_one_account_passes_everything_when_several_things_are_asked(
    engines: Engines, asked: dict[str, Any], expected: list[int]
) -> None:
    rows = [
        member_row(1, ALICE, "buyer"),
        member_row(1, BOB, "decider"),
        member_row(2, ALICE, "user"),
        member_row(2, CAROL),
        member_row(1, DAVE, "buyer", until=NOW - DAY),
    ]
    companies = [account_row(1, "acme", "GB", employees=50), account_row(2, "beta", sectors=["food", "drink"])]
    engines.load({profile: people(), account: companies, account_member: rows})
    assert engines.members(parse({"account": asked})) == expected
    others = [one for one in (ALICE, BOB, CAROL, DAVE) if one not in expected]
    assert engines.members(parse({"not": {"account": asked}})) == others


# -- together, told, and refused --------------------------------------------------------------------------------------

EVERYTHING = {
    "went": {"sequence": ["a", "b"], "within": "7d"},
    "has": {"owns": {"product": "kettle"}},
    "lives": {"near": {"lat": 52.5, "lon": 13.4, "km": 25}},
    "birthday": {"anniversary": {"attribute": "birthday", "in_next": "7d"}},
    "awake": {"local_time": {"from": "09:00", "to": "18:00"}},
    "works": {"account": {"key": "acme"}},
}


@pytest.fixture
def stored(database: Database) -> Database:
    """Alice is everything that can be asked, Bob nothing of it."""
    alice = profile_row(ALICE, birth_month=6, birth_day=12, **at(52.52, 13.405))
    bob = profile_row(BOB, timezone="America/New_York")
    with database.transaction() as connection:
        connection.execute(insert(profile), [alice, bob])
        events = [event_row(1, ALICE, "a", NOW - 2 * DAY), event_row(2, ALICE, "b", NOW - DAY)]
        connection.execute(insert(customer_event), [*events, event_row(3, BOB, "a", NOW - DAY)])
        connection.execute(insert(customer_order), [order_row(1, ALICE, NOW - DAY)])
        connection.execute(insert(order_line), [line_row(1, "kettle", 2)])
        connection.execute(insert(account), [account_row(1, "acme")])
        connection.execute(insert(account_member), [member_row(1, ALICE, "buyer")])
    return database


def test_every_leaf_has_its_column_when_many_rules_share_a_pass(stored: Database) -> None:
    rules = {name: parse(data) for name, data in EVERYTHING.items()}
    query = compile_rules(rules, now=NOW, workspace=SHOP, segments={}, batch=[ALICE, BOB])
    with stored.read() as connection:
        alice, bob = connection.execute(query).mappings()
    assert dict(alice) == {"id": ALICE, **dict.fromkeys(EVERYTHING, True)}
    assert dict(bob) == {"id": BOB, **dict.fromkeys(EVERYTHING, False)}


def test_each_leaf_tells_what_it_found_when_a_profile_is_explained(stored: Database) -> None:
    rule = parse(list(EVERYTHING.values()))
    with stored.read() as connection:
        alice, bob = (explain(connection, rule, who, NOW, SHOP, segments={})[1:] for who in (ALICE, BOB))
    assert alice == [
        Finding(1, "sequence a, then b within 7d", True, "2026-06-08T08:00:00Z, 2026-06-09T08:00:00Z"),
        Finding(1, "owns product kettle", True, "kettle (2)"),
        Finding(1, "near 52.5, 13.4 within 25 km", True, "2.249 km"),
        Finding(1, "anniversary of birthday in the next 7d", True, "06-12"),
        Finding(1, "local time 09:00 to 18:00", True, "10:00 Wed"),
        Finding(1, "account key eq acme", True, "acme (buyer)"),
    ]
    assert [finding.found for finding in bob] == ["1 of 2", None, None, None, "04:00 Wed", None]
    assert not any(finding.holds for finding in bob)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            {"sequence": ["order_placed", "cart_updatd"]},
            "W201 sequence.1.event: the event 'cart_updatd' is not declared",
        ),
        (
            {"sequence": ["order_placed", {"event": "cart_updated", "where": {"totl": 1}}]},
            "W201 sequence.1.where.totl: 'totl' is not declared for the event 'cart_updated'",
        ),
        ({"sequence": ["order_placed", "cart_updated"], "within": "0d"}, "E103 within: nothing happens in no time"),
        ({"sequence": ["order_placed", "cart_updated"], "since": "entry"}, "E123 since: a segment has no entry"),
        (
            {"sequence": ["order_placed", {"event": "cart_updated", "where": {"sku": {"from_event": "sku"}}}]},
            "E123 sequence.1.where.sku.from_event: a segment has no entry event",
        ),
        ({"owns": {"product": "kettle", "within": "0d"}}, "E103 owns.within: nothing happens in no time"),
        ({"anniversary": {"attribute": "birthday", "in_next": "12h"}}, "E103 anniversary.in_next: '12h' is not 1 to"),
        ({"anniversary": {"attribute": "birthday", "in_next": "2y"}}, "E103 anniversary.in_next: '2y' is not 1 to"),
        ({"anniversary": {"attribute": "member_sinc", "in_next": "7d"}}, "W201 anniversary.attribute: the attribute"),
        ({"anniversary": {"attribute": "points", "in_next": "7d"}}, "W201 anniversary.attribute: 'points' is declared"),
        (
            {"anniversary": {"attribute": "created_at", "in_next": "7d"}},
            "E103 anniversary.attribute: 'created_at' is no",
        ),
        ({"anniversary": {"attribute": "first_name", "in_next": "7d"}}, "E125 anniversary.attribute: 'first_name' is"),
        ({"local_time": {"from": "09:00", "to": "09:00"}}, "E131 local_time.to: no time lies between equal hours"),
        ({"account": {"role": "byer"}}, "E103 account.role: no member has the role 'byer', did you mean 'buyer'?"),
        ({"account": {"role": {"contains": "b"}}}, "E103 account.role.contains: the role of a member cannot be asked"),
    ],
)
def test_a_leaf_is_refused_at_its_place_when_it_cannot_mean_anything(condition: dict[str, Any], expected: str) -> None:
    assert [fault.startswith(expected) for fault in faults_of(condition, SHOP)] == [True], faults_of(condition, SHOP)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, "W201 near: the attribute 'latitude' is not declared in workspace.yaml, declare it with kind: number"),
        (AttributeSpec(ValueKind.TEXT), "W201 near: 'latitude' is declared as text, and this asks for a number"),
        (AttributeSpec(ValueKind.NUMBER, is_personal=True), "E125 near: 'latitude' is sealed and cannot be reckoned"),
    ],
)
def test_a_place_is_refused_when_positions_are_no_plain_numbers(spec: AttributeSpec | None, expected: str) -> None:
    known = {"longitude": AttributeSpec(ValueKind.NUMBER)} | ({} if spec is None else {"latitude": spec})
    workspace = Workspace("shop", "Shop", "Europe/Berlin", "EUR", "DE", attributes=known, events={}, topics={})
    near = {"near": {"lat": 1, "lon": 2, "km": 3}}
    assert [fault.startswith(expected) for fault in faults_of(near, workspace)] == [True], faults_of(near, workspace)


def faults_of(condition: Any, workspace: Workspace) -> list[str]:
    faults: list[str] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        faults.append(f"{code} {'.'.join(map(str, path))}: {message}, {hint}")

    rule = parse_conditions(condition, report)
    assert all(isinstance(leaf, Constant) for leaf in iter_leaves(rule)) <= bool(faults)
    check_population(rule, report)
    check_words(rule, workspace, report)
    return faults
