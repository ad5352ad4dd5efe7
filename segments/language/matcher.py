"""Matchers in Python, for one event, entry or step. Their SQL form is `predicates`; one table of cases tests both.

Pure. Values are plain JSON; text is in NFC from the day it was stored, and compared letter by letter.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from segments.language.moments import Stretch, day_of, instant_of, stretch_of
from segments.language.rules import Comparison, Matcher, Operator, Where

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class _Around:
    """What a comparison may look at beside the value."""

    entry: Mapping[str, Any] = field(default_factory=dict)
    now: datetime | None = None
    zone: ZoneInfo = _UTC


def match_where(
    where: Where,
    properties: Mapping[str, Any],
    *,
    entry: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    zone: ZoneInfo = _UTC,
) -> bool:
    """Whether `properties` satisfy every condition.

    `entry` has the properties that `from_event` compares with; `now` is what `within` and `older_than` count back from
    (ValueError without it); the midnights of dates are those of `zone`, the workspace's.
    """
    around = _Around(entry or {}, now, zone)
    return all(_matches(test.matcher, properties.get(test.name), around) for test in where)


def match_value(
    matcher: Matcher,
    value: Any,
    *,
    entry: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    zone: ZoneInfo = _UTC,
) -> bool:
    """Whether one value satisfies every comparison; None is missing. The rest is as for `match_where`."""
    return _matches(matcher, value, _Around(entry or {}, now, zone))


def _matches(matcher: Matcher, value: Any, around: _Around) -> bool:
    elements = value if isinstance(value, list) else [value]
    about_elements = []
    for comparison in matcher.comparisons:
        if comparison.is_about_one_element:
            about_elements.append(comparison)
        elif not _about_the_whole(value, elements, comparison):
            return False
    return not about_elements or any(
        all(_holds(element, comparison, around) for comparison in about_elements) for element in elements
    )


def _about_the_whole(value: Any, elements: list[Any], comparison: Comparison) -> bool:
    if comparison.operator is Operator.EXISTS:
        return (value is not None) is comparison.operand
    wanted = comparison.operand if isinstance(comparison.operand, tuple) else (comparison.operand,)
    return not any(_equal(element, one) for element in elements for one in wanted)


def _holds(value: Any, comparison: Comparison, around: _Around) -> bool:
    how, operand = comparison.operator, comparison.operand
    stretch = stretch_of(comparison, around.now, around.zone)
    if stretch is not None:
        return _lies_in(value, stretch)
    if isinstance(operand, tuple):
        if how is Operator.IN:
            return any(_equal(value, one) for one in operand)
        start, end = operand
        return _ordered(value, Operator.GTE, start) and _ordered(value, Operator.LT, end)
    if how is Operator.FROM_EVENT:
        return _equal(value, around.entry.get(str(operand)))
    if how is Operator.EQ:
        return _equal(value, operand)
    return _in_text(value, how, operand) if how in _TEXTS else _ordered(value, how, operand)


def _equal(value: Any, wanted: Any) -> bool:
    """Equality within one kind: the number 5 is not the text "5", and true is not 1."""
    kind = _kind(value)
    return kind is not None and kind is _kind(wanted) and bool(value == wanted)


def _kind(value: Any) -> type | None:
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return str if isinstance(value, str) else None


_ORDERS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}
_TEXTS: Mapping[Operator, Callable[[str, str], bool]] = {
    Operator.CONTAINS: operator.contains,
    Operator.STARTS_WITH: str.startswith,
    Operator.ENDS_WITH: str.endswith,
}


def _ordered(value: Any, how: Operator, bound: Any) -> bool:
    kind = _kind(value)
    return kind in (float, str) and kind is _kind(bound) and _ORDERS[how](value, bound)


def _in_text(value: Any, how: Operator, part: Any) -> bool:
    return isinstance(value, str) and isinstance(part, str) and _TEXTS[how](value, part)


def _lies_in(value: Any, stretch: Stretch) -> bool:
    """An instant is compared as one; a date lies where its midnight lies."""
    instant, day = instant_of(value), day_of(value)
    start, end = stretch.start, stretch.end
    if instant is not None:
        return (start is None or instant >= start.instant) and (end is None or instant < end.instant)
    return day is not None and (start is None or day >= start.day) and (end is None or day < end.day)
