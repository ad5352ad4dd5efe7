"""A sequence inside a journey: asked of the data, with the start and the entry event of the one run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from journeys.conditions import Ground, holds
from journeys.questions import Holds, Question
from segments.language.rules import Rule
from tests.segments.parsing import parse

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
ENTERED, STEPPED = NOW - timedelta(days=3), NOW - timedelta(days=1)
ENTRY = {"cart_id": "c1", "items": ["kettle"]}


def asked_of_the_data(condition: Any) -> Rule:
    """What becomes of `condition` when somebody passes it who entered by a cart."""
    asked: list[Question] = []

    def ask(question: Question) -> bool:
        asked.append(question)
        return True

    ground = Ground(ask, NOW, ZoneInfo("UTC"), ENTERED, STEPPED, entry=ENTRY)
    assert holds(parse(condition), ground)
    [question] = asked
    assert isinstance(question, Holds)
    return question.rule


@pytest.mark.parametrize(("since", "start"), [("entry", ENTERED), ("step", STEPPED), ("ever", None)])
def test_a_sequence_begins_with_the_run_when_it_is_asked_since_then(since: str, start: datetime | None) -> None:
    rule = asked_of_the_data({"sequence": ["cart_updated", "order_placed"], "within": "1d", "since": since})
    assert (rule.since, rule.start) == ("ever", start)  # type: ignore[union-attr] # a sequence, as was asked


@pytest.mark.parametrize(
    ("named", "known"), [("cart_id", {"in": ["c1"]}), ("items", {"in": []}), ("missing", {"in": []})]
)
def test_the_values_of_the_entry_event_are_filled_in_when_a_part_compares_with_it(
    named: str, known: dict[str, list[str]]
) -> None:
    def sequence(matcher: dict[str, Any]) -> dict[str, Any]:
        return {"sequence": ["cart_updated", {"event": "order_placed", "where": {"cart": matcher}}]}

    assert asked_of_the_data(sequence({"from_event": named})) == parse(sequence(known))
