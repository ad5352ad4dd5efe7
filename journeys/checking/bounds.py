"""Whether any value at all can pass a matcher: `{lt: 3, gt: 5}` is passed by none. Pure.

Answers only what is certain: where two comparisons cannot be set against each other, a value is taken to be possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from segments.language.matcher import match_value
from segments.language.rules import Comparison, Matcher, Operator

_LOWER = {Operator.GT: True, Operator.GTE: False, Operator.AFTER: False}  # whether the bound itself is left out
_UPPER = {Operator.LT: True, Operator.LTE: False, Operator.BEFORE: True}
_AGES = frozenset({Operator.WITHIN, Operator.OLDER_THAN})
_OF_ONE_VALUE = frozenset(set(Operator) - _AGES - {Operator.FROM_EVENT})


def nothing_passes(comparisons: Sequence[Comparison]) -> bool:
    """Whether no value, nor a missing one, can pass all of them."""
    if any(one.operator is Operator.IN and not one.operand for one in comparisons):
        return False  # stands where a fault was reported
    missing_only = any(one.operator is Operator.EXISTS and one.operand is False for one in comparisons)
    if missing_only and any(_needs_a_value(one) for one in comparisons):
        return True
    candidates = _candidates(comparisons)
    if candidates is not None:
        rest = [one for one in comparisons if one.operator in _OF_ONE_VALUE and not _is_timed(one)]
        return not any(match_value(Matcher(tuple(rest)), candidate) for candidate in candidates)
    return _is_empty(comparisons) or _is_no_age(comparisons)


def _needs_a_value(comparison: Comparison) -> bool:
    return comparison.is_about_one_element or (comparison.operator is Operator.EXISTS and comparison.operand is True)


def _candidates(comparisons: Iterable[Comparison]) -> Sequence[Any] | None:
    """The values that `eq` and `in` leave; None where neither stands."""
    for comparison in comparisons:
        if comparison.operator is Operator.EQ:
            return [comparison.operand]
        if comparison.operator is Operator.IN and isinstance(comparison.operand, tuple):
            return comparison.operand
    return None


def _is_timed(comparison: Comparison) -> bool:
    """Whether its answer hangs on a calendar: a text that is compared with a date is left open."""
    values = comparison.operand if isinstance(comparison.operand, tuple) else (comparison.operand,)
    return any(isinstance(value, date) for value in values)


def _is_empty(comparisons: Iterable[Comparison]) -> bool:
    lower: list[tuple[object, bool]] = []
    upper: list[tuple[object, bool]] = []
    for comparison in comparisons:
        operator, operand = comparison.operator, comparison.operand
        if operator is Operator.BETWEEN and isinstance(operand, tuple):
            lower.append((operand[0], False))
            upper.append((operand[1], False))
        elif operator in _LOWER:
            lower.append((operand, _LOWER[operator]))
        elif operator in _UPPER:
            upper.append((operand, _UPPER[operator]))
    return any(
        _lies_above(low, high, is_open=low_open or high_open) for low, low_open in lower for high, high_open in upper
    )


def _lies_above(low: Any, high: Any, *, is_open: bool) -> bool:
    if not _are_comparable(low, high):
        return False
    return bool(low > high or (is_open and low == high))


def _are_comparable(low: Any, high: Any) -> bool:
    if isinstance(low, bool) or isinstance(high, bool):
        return False
    if isinstance(low, datetime) and isinstance(high, datetime):
        return (low.tzinfo is None) == (high.tzinfo is None)
    if isinstance(low, int | float) and isinstance(high, int | float):
        return True
    return type(low) is type(high) and isinstance(low, str | date) and not isinstance(low, datetime)


def _is_no_age(comparisons: Sequence[Comparison]) -> bool:
    """`within: 3d` beside `older_than: 5d`."""
    ages = [(one.operator, one.operand) for one in comparisons if isinstance(one.operand, timedelta)]
    youngest = max((age for operator, age in ages if operator is Operator.OLDER_THAN), default=None)
    oldest = min((age for operator, age in ages if operator is Operator.WITHIN), default=None)
    return youngest is not None and oldest is not None and youngest >= oldest
