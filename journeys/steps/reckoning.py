"""What a row of events amounts to for one who waits for it: how many, their sum, the last of a property. Pure.

Reckoned as segments reckon in the database: numbers alone are summed, to four decimals; where nothing is, `sum` and
`distinct` are 0 and the others are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import copysign, trunc
from typing import Any

from journeys.questions import Event
from segments.language.matcher import match_value
from segments.language.rules import Aggregate, AggregateKind, EventRule

_PARTS = 10_000


def is_reached(rule: EventRule, hits: Sequence[Event]) -> bool:
    """Whether the last of `hits` (earliest first, all of what `rule` names) makes it enough.

    With `within` those count that happened less than so long before it.
    """
    if rule.within is not None:
        start = hits[-1].occurred_at - rule.within
        hits = [hit for hit in hits if hit.occurred_at > start]
    found = [hit.properties for hit in hits]
    return all(match_value(one.matcher, reckon(one, found)) for one in rule.aggregates)


def reckon(aggregate: Aggregate, found: Sequence[Mapping[str, Any]]) -> Any:
    """What the properties of events, earliest first, amount to; None where nothing does."""
    kind = aggregate.kind
    if kind is AggregateKind.COUNT:
        return len(found)
    values = [one.get(aggregate.of or "") for one in found]
    if kind in (AggregateKind.FIRST, AggregateKind.LAST):
        return values[0 if kind is AggregateKind.FIRST else -1] if values else None
    if kind is AggregateKind.DISTINCT:
        return len({(type(value) is bool, value) for value in values if isinstance(value, str | int | float)})
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if kind is AggregateKind.SUM:
        return _total(numbers)
    if not numbers:
        return None
    if kind is AggregateKind.AVG:
        return _total(numbers) / len(numbers)
    return min(numbers) if kind is AggregateKind.MIN else max(numbers)


def _total(numbers: Sequence[float]) -> float:
    return sum(trunc(number * _PARTS + copysign(0.5, number)) for number in numbers) / _PARTS
