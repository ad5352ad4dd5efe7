"""Ranks and scores of random people: the same members everywhere, with places that each engine has found for itself."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.ranks.bases import ranks_in
from tests.segments import oracle
from tests.segments.engines import Engines
from tests.segments.parsing import parse
from tests.segments.people import NOW
from tests.segments.test_members_property import ranks, scores, worlds


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=worlds(), asked=st.lists(ranks() | scores(), min_size=3, max_size=6))
def test_places_are_the_same_on_every_engine_when_ranks_and_rows_are_random(
    engines: Engines, rows: oracle.Rows, asked: list[Any]
) -> None:
    engines.load(rows)
    engines.rank(leaf.basis for leaf in ranks_in([parse(asked)]))
    for data in [*asked, {"any": [*asked]}, {"not": asked[0]}]:
        expected = oracle.members(data, rows, NOW, {})
        found = engines.select(parse(data))
        assert found == dict.fromkeys(found, expected), data
