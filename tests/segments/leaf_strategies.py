"""Random conditions of the longer leaves, and random rows that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Table

from customers.account_tables import account, account_member
from customers.tables import customer_order, order_line, product
from tests.segments.leaf_rows import account_row, line_row, member_row, order_row, product_row
from tests.segments.people import NOW

Strategy = st.SearchStrategy[Any]

_SKUS = st.sampled_from(["kettle", "green-tea", "cup"])
_CATEGORIES = st.sampled_from(["tea", "kitchen"])
_LENGTHS = st.sampled_from(["1d", "7d", "30d", "365d"])
_ROLES = st.sampled_from(["buyer", "decider"])
_HOURS = st.sampled_from(["00:00", "07:30", "10:00", "10:01", "17:00", "22:00"])
_WEEKDAYS = st.sampled_from(["mon", "tue", "wed", "thu"])
# Berlin, Vienna, beyond the date line on either side, a pole, and what is no place.
_LATITUDES = st.sampled_from([52.52, 48.21, 0, 10.5, -89.9, 90, 90.5, "52.52", True, None])
_LONGITUDES = st.sampled_from([13.405, 16.37, 0, 179.9, -179.9, 180, 180.5, "13.405", True, None])
ZONES = st.sampled_from(
    [None, "Europe/Berlin", "Pacific/Honolulu", "Pacific/Kiritimati", "Asia/Kathmandu", "Mars/Base"]
)
BIRTH_DAYS = st.sampled_from([None, 1, 9, 10, 11, 17, 28])
POSITIONS = st.fixed_dictionaries({}, optional={"latitude": _LATITUDES, "longitude": _LONGITUDES})


@st.composite
def longer_leaves(draw: st.DrawFn, wheres: Strategy, matchers: Strategy) -> dict[str, Any]:
    """`wheres` are conditions on properties."""
    match draw(st.sampled_from(["sequence", "sequence", "owns", "near", "anniversary", "local_time", "account"])):
        case "sequence":
            name = st.sampled_from(["order_placed", "cart_updated"])
            part = name | st.fixed_dictionaries(
                {"event": name | st.lists(name, min_size=1)}, optional={"where": wheres}
            )
            rule = {"sequence": draw(st.lists(part, min_size=2, max_size=4))}
            return rule | draw(st.fixed_dictionaries({}, optional={"within": _LENGTHS}))
        case "owns":
            by, names = draw(st.sampled_from([("product", _SKUS), ("category", _CATEGORIES)]))
            wanted = draw(names | st.lists(names, min_size=1, max_size=2))
            return {"owns": {by: wanted} | draw(st.fixed_dictionaries({}, optional={"within": _LENGTHS}))}
        case "near":
            point = {"lat": st.sampled_from([52.5, 0, 89.5, -90, 10]), "lon": st.sampled_from([13.4, 180, -179.5, 0])}
            return {"near": draw(st.fixed_dictionaries(point | {"km": st.sampled_from([3, 20, 700, 9000, 20100])}))}
        case "anniversary":
            attribute = draw(st.sampled_from(["birthday", "member_since"]))
            in_next = draw(st.sampled_from(["1d", "2d", "7d", "8d", "200d", "365d", "366d"]))
            return {"anniversary": {"attribute": attribute, "in_next": in_next}}
        case "local_time":
            days = _WEEKDAYS | st.lists(_WEEKDAYS, min_size=1, max_size=3)
            start, end = draw(st.tuples(_HOURS, _HOURS).filter(lambda pair: pair[0] != pair[1]))
            words: dict[str, Strategy] = {"from": st.just(start), "to": st.just(end), "weekday": days}
            hours: Strategy = st.fixed_dictionaries({}, optional=words)
            return {"local_time": draw(hours.filter(lambda one: one and one.get("to") != "00:00"))}
    role = _ROLES | st.fixed_dictionaries({"ne": _ROLES}) | st.fixed_dictionaries({"in": st.lists(_ROLES, max_size=2)})
    asked: dict[str, Strategy] = {"key": matchers, "name": matchers, "country": matchers, "role": role, "where": wheres}
    accounts: Strategy = st.fixed_dictionaries({}, optional=asked)
    return {"account": draw(accounts.filter(bool))}


@st.composite
def longer_rows(
    draw: st.DrawFn, people: Strategy, ages: Strategy, properties: Strategy
) -> Mapping[Table, Sequence[Mapping[str, Any]]]:
    """`people` are ids of profiles, `ages` instants, `properties` documents with the names that conditions ask for."""
    who = people | st.none()
    orders: list[tuple[int | None, datetime]] = draw(st.lists(st.tuples(who, ages), max_size=6))
    line = st.tuples(_SKUS, st.sampled_from([1, 2, -1, -2]), st.sampled_from(["product", "product", "fee"]))
    lines = [
        line_row(order, sku, quantity, line_no=number, kind=kind)
        for order in range(1, len(orders) + 1)
        for number, (sku, quantity, kind) in enumerate(draw(st.lists(line, max_size=2)), start=1)
    ]
    companies = draw(st.lists(st.tuples(st.sampled_from([None, "DE", "AT"]), properties), min_size=2, max_size=2))
    members = st.tuples(st.integers(1, 2), people, st.none() | _ROLES, st.sampled_from([None, None, NOW]))
    return {
        customer_order: [order_row(number, *order) for number, order in enumerate(orders, start=1)],
        order_line: lines,
        product: [
            product_row(sku, category)
            for sku, category in draw(st.dictionaries(_SKUS, st.none() | _CATEGORIES)).items()
        ],
        account: [
            account_row(number, "ab"[number - 1], country, **document)
            for number, (country, document) in enumerate(companies, start=1)
        ],
        account_member: [
            member_row(*member) for member in draw(st.lists(members, max_size=5, unique_by=lambda one: one[:2]))
        ],
    }
