from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from customers.tables import profile
from segments.language.matcher import match_value, match_where
from segments.language.matcher_parser import parse_matcher, parse_where
from segments.language.rules import AttributeRule
from tests.segments.cases import CASES, Case
from tests.segments.engines import Engines
from tests.segments.parsing import refuse
from tests.segments.people import NOW, SHOP, profile_row


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.matcher} of {case.value!r}")
def test_matcher_in_python_answers_as_the_table_says(case: Case) -> None:
    matcher = parse_matcher(case.matcher, refuse, ())
    assert match_value(matcher, case.value, now=NOW, zone=ZoneInfo(SHOP.timezone)) is case.expected


def test_matcher_in_sql_answers_as_the_table_says_on_every_engine(engines: Engines) -> None:
    rows = [
        profile_row(number, attributes={} if case.value is None else {"tier": case.value})
        for number, case in enumerate(CASES, start=1)
    ]
    engines.load({profile: rows})
    wrong = []
    for number, case in enumerate(CASES, start=1):
        rule = AttributeRule("tier", parse_matcher(case.matcher, refuse, ()))
        for engine, ids in engines.select(rule, batch=[number]).items():
            if (ids == [number]) is not case.expected:
                wrong.append((engine, case))
    assert not wrong


@pytest.mark.parametrize(
    ("where", "properties", "entry", "expected"),
    [
        ({"cart_id": {"from_event": "cart_id"}}, {"cart_id": "c1"}, {"cart_id": "c1"}, True),
        ({"cart_id": {"from_event": "cart_id"}}, {"cart_id": "c1"}, {"cart_id": "c2"}, False),
        ({"cart_id": {"from_event": "cart_id"}}, {}, {}, False),
        ({"cart_id": {"from_event": "id"}}, {"cart_id": 7}, {"id": 7}, True),
        ({"cart_id": {"from_event": "id"}}, {"cart_id": 7}, {"id": "7"}, False),
        ({"total": {"gte": 20}, "items": {"exists": True}}, {"total": 20, "items": []}, None, True),
        ({"total": {"gte": 20}, "items": {"exists": True}}, {"total": 20}, None, False),
    ],
)
def test_where_holds_when_every_property_matches(
    where: dict[str, Any], properties: dict[str, Any], entry: dict[str, Any] | None, expected: bool
) -> None:
    assert match_where(parse_where(where, refuse, ()), properties, entry=entry) is expected


def test_relative_date_is_refused_when_nobody_says_what_time_it_is() -> None:
    matcher = parse_matcher({"within": "1d"}, refuse, ())
    with pytest.raises(ValueError, match="what time it is"):
        match_value(matcher, "2026-06-10")
