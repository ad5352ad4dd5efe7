"""What the checker takes for certain about conditions: only what no person could contradict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.workspace import ValueKind
from journeys.checking.bounds import nothing_passes
from journeys.checking.logic import iter_settled
from segments.language.matcher import match_value
from segments.language.matcher_parser import parse_matcher
from segments.language.parser import parse_conditions

KINDS = {"country": ValueKind.TEXT, "points": ValueKind.NUMBER, "interests": ValueKind.LIST}
VALUES = st.sampled_from([0, 1, 2, 3, 2.5, "a", "b", "ab", "", True, False])
MATCHERS = st.dictionaries(
    st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), VALUES, min_size=1, max_size=4
) | st.fixed_dictionaries(
    {},
    optional={
        "in": st.lists(VALUES, min_size=1, max_size=3),
        "not_in": st.lists(VALUES, max_size=3),
        "between": st.tuples(st.integers(0, 3), st.integers(0, 3)).map(list),
        "exists": st.booleans(),
        "contains": st.sampled_from(["a", "b"]),
        "starts_with": st.sampled_from(["a", "b"]),
        "gt": st.integers(0, 3),
    },
)
ANYTHING = VALUES | st.none() | st.lists(VALUES, max_size=3)


def ignore(*_args: Any, **_words: Any) -> None:
    """Faults of reading are not the matter here."""


@given(MATCHERS, ANYTHING)
def test_no_value_passes_a_matcher_when_it_is_said_that_none_does(written: dict[str, Any], value: Any) -> None:
    matcher = parse_matcher(written, ignore, ())
    if nothing_passes(matcher.comparisons):
        assert not match_value(matcher, value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"gte": 100, "lt": 50}, True),
        ({"gt": 3, "lt": 3}, True),
        ({"gte": 3, "lte": 3}, False),
        ({"eq": "a", "ne": "a"}, True),
        ({"in": ["a", "b"], "not_in": ["a", "b"]}, True),
        ({"in": ["a", "b"], "not_in": ["a"]}, False),
        ({"exists": False, "eq": 1}, True),
        ({"exists": False}, False),
        ({"before": "2026-01-01", "after": "2026-02-01"}, True),
        ({"after": "2026-01-01", "before": "2026-02-01"}, False),
        ({"within": "3d", "older_than": "5d"}, True),
        ({"within": "5d", "older_than": "3d"}, False),
        ({"between": [5, 1]}, True),
        ({"between": [1, 5], "gt": 7}, True),
        ({"from_event": "x", "ne": "a"}, False),
    ],
)
def test_a_matcher_is_known_to_be_empty_when_its_parts_exclude_each_other(
    written: dict[str, Any], *, expected: bool
) -> None:
    assert nothing_passes(parse_matcher(written, ignore, ()).comparisons) is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([{"attribute": "country", "is": "DE"}, {"attribute": "country", "is": "AT"}], ["never"]),
        ([{"attribute": "interests", "is": "tea"}, {"attribute": "interests", "is": "garden"}], []),
        ([{"attribute": "unheard", "is": "a"}, {"attribute": "unheard", "is": "b"}], []),
        ([{"attribute": "points", "is": {"gt": 5}}, {"all": [{"attribute": "points", "is": {"lt": 3}}]}], ["never"]),
        ([{"score": "churn", "is": {"gt": 0.5}}, {"score": "churn", "is": {"lt": 0.3}}], ["never"]),
        ({"any": [{"segment": "vip"}, {"not": {"segment": "vip"}}]}, ["always"]),
        ({"any": [{"segment": "vip"}, {"not": {"segment": "lapsed"}}]}, []),
        ([{"consent": "email.a", "is": "granted"}, {"consent": "sms.a", "is": "denied"}], []),
        ([{"step": "a", "was": "done"}, {"step": "a", "was": "skipped"}], ["never"]),
        ({"event": "x", "count": {"gte": 0}}, ["always"]),
        ({"event": "x", "count": {"eq": 0}}, []),
        ({"event": "x", "count": {"lt": 0}}, ["never"]),
        ({"not": {"all": [{"segment": "vip"}, {"not": {"segment": "vip"}}]}}, ["never"]),
    ],
)
def test_a_condition_is_settled_when_everybody_would_answer_alike(written: Any, expected: list[str]) -> None:
    found = iter_settled(parse_conditions(written, ignore), KINDS)
    assert ["always" if one.always else "never" for one in found] == expected
