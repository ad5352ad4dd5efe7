"""Members of documents in columns of their own change no answer, whatever kind of value stands there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.tables import customer_event, profile
from segments.compiling.compiler import compile_rule
from segments.compiling.dialects import Extracted, Part
from segments.snapshot import Snapshot, open_snapshot
from segments.snapshot.dialect import to_duckdb
from segments.snapshot.extraction import declared_keys
from tests.segments import oracle
from tests.segments.parsing import parse
from tests.segments.people import NOW, SHOP, event_row, profile_row
from tests.segments.test_members_property import AGES, EVENTS, PEOPLE, PEOPLE_IDS, PROPERTIES, events, matchers, values

_ATTRIBUTES = st.sampled_from(["tier", "points", "tags", "it's 100%"])


@st.composite
def worlds(draw: st.DrawFn) -> oracle.Rows:
    happened = draw(
        st.lists(st.tuples(PEOPLE_IDS, EVENTS, AGES, st.dictionaries(PROPERTIES, values)), min_size=1, max_size=10)
    )
    return {
        profile: [
            profile_row(number, attributes=draw(st.dictionaries(_ATTRIBUTES, values)))
            for number in range(1, PEOPLE + 1)
        ],
        customer_event: [
            event_row(number, who, name, NOW.replace(hour=7), **properties)
            for number, (who, name, _age, properties) in enumerate(happened, start=1)
        ],
    }


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return draw(events())
    return {"attribute": draw(_ATTRIBUTES), "is": draw(matchers())}


@pytest.fixture(scope="module")
def snapshots() -> Iterator[tuple[Snapshot, Snapshot]]:
    with open_snapshot() as plain, open_snapshot(declared_keys(SHOP)) as extracted:
        yield plain, extracted


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=worlds(), asked=st.lists(rules(), min_size=3, max_size=5))
def test_members_are_the_same_when_documents_are_taken_apart(
    snapshots: tuple[Snapshot, Snapshot], rows: oracle.Rows, asked: list[Any]
) -> None:
    for snapshot in snapshots:
        for table, some in rows.items():
            snapshot.load(table, some)
    for data in asked:
        query = compile_rule(parse(data), now=NOW, workspace=SHOP, segments={})
        plain, extracted = (snapshot.select_ids(query) for snapshot in snapshots)
        assert extracted == plain, data


def test_no_document_is_read_when_its_members_have_columns(snapshots: tuple[Snapshot, Snapshot]) -> None:
    where = {"event": "cart_updated", "where": {"sku": "tea"}, "sum": {"of": "total", "is": {"gt": 5}}}
    query = compile_rule(parse(where), now=NOW, workspace=SHOP, segments={})
    columns = {
        ("customer_event", "properties", "sku"): {Part.TEXT: "properties.sku.text"},
        ("customer_event", "properties", "total"): {Part.NUMBER: "properties.total.number"},
    }
    written = to_duckdb(query, Extracted(columns))
    assert "json" not in written
    assert '"customer_event"."properties.sku.text" = \'tea\'' in written
