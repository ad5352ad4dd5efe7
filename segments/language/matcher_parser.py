"""Matchers and `where` from YAML data that its schema has accepted: values get their kinds, text becomes NFC.

What the schema cannot know is reported here: null as a value, bounds of two kinds, names that cannot be asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from core.durations import InvalidDurationError, parse_duration
from core.located import KeyPath
from core.suggest import did_you_mean
from segments.language.moments import parse_moment
from segments.language.rules import Comparison, Matcher, Operand, Operator, PropertyTest, Scalar, Where

_DATES = frozenset({Operator.BEFORE, Operator.AFTER, Operator.ON})
_DURATIONS = frozenset({Operator.WITHIN, Operator.OLDER_THAN})
_ORDERS = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.BETWEEN})
_TEXTS = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})
_UNASKABLE = re.compile(r'["\\\x00-\x1f]')

NOTHING = Matcher((Comparison(Operator.IN, ()),))  # matches no value: stands where a fault was reported


class Report(Protocol):
    """Takes one fault; `located.Located.fault` has the same arguments."""

    def __call__(self, code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> object: ...


def parse_where(data: Mapping[str, Any], report: Report, path: KeyPath) -> Where:
    return tuple(
        PropertyTest(name, parse_matcher(value, report, (*path, name)))
        for name, value in data.items()
        if is_askable(name, report, (*path, name))
    )


def is_askable(name: str, report: Report, path: KeyPath) -> bool:
    """Whether a property or attribute can be called so in every database."""
    if _UNASKABLE.search(name):
        report("E103", path, f"the name {name!r} cannot be asked for", "leave out quotes and backslashes")
        return False
    return True


def parse_matcher(data: Any, report: Report, path: KeyPath) -> Matcher:
    """A scalar means `eq`; of several comparisons all must hold."""
    if not isinstance(data, Mapping):
        operand = _scalar(data, report, path)
        return NOTHING if operand is None else Matcher((Comparison(Operator.EQ, operand),))
    comparisons = [_comparison(word, value, report, (*path, word)) for word, value in data.items()]
    known = tuple(one for one in comparisons if one is not None)
    return Matcher(known) if len(known) == len(comparisons) else NOTHING


def _comparison(word: str, value: Any, report: Report, path: KeyPath) -> Comparison | None:
    try:
        operator = Operator(word)
    except ValueError:
        hint = did_you_mean(word, Operator) or "write eq, ne, in, gt, lt, between, contains, exists or another one"
        report("E102", path, f"unknown matcher '{word}'", hint, at_key=True)
        return None
    operand = _operand(operator, value, report, path)
    return None if operand is None else Comparison(operator, operand)


def _operand(operator: Operator, value: Any, report: Report, path: KeyPath) -> Operand | None:
    if operator in (Operator.IN, Operator.NOT_IN):
        scalars = [_scalar(item, report, (*path, place)) for place, item in enumerate(value)]
        return None if None in scalars else tuple(item for item in scalars if item is not None)
    if operator is Operator.BETWEEN:
        return _bounds(value, report, path)
    if operator in _DURATIONS:
        return _elapsed(value, report, path)
    if operator in _DATES:
        return _moment(value, report, path)
    scalar = _scalar(value, report, path)
    if scalar is None:
        return None
    if operator in _TEXTS or operator is Operator.FROM_EVENT:
        return _text(operator, scalar, report, path)
    return _ordered(operator, scalar, report, path) if operator in _ORDERS else scalar


def _scalar(value: Any, report: Report, path: KeyPath) -> Scalar | None:
    if value is None:
        report("E103", path, "nothing can be compared with null", "write exists: false")
        return None
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _text(operator: Operator, value: Scalar, report: Report, path: KeyPath) -> str | None:
    if isinstance(value, str) and value:
        return value
    report("E103", path, f"`{operator}` takes a text, not {value!r}", 'put it in quotes, such as "42"')
    return None


def _ordered(operator: Operator, value: Scalar, report: Report, path: KeyPath) -> Scalar | date | None:
    if isinstance(value, bool):
        report("E103", path, f"`{operator}` takes a number, a text or a date", f"write {str(value).lower()} alone")
        return None
    return (parse_moment(value) or value) if isinstance(value, str) else value


def _bounds(values: Sequence[Any], report: Report, path: KeyPath) -> tuple[Scalar | date, ...] | None:
    places = [(*path, place) for place in range(len(values))]
    scalars = [_scalar(value, report, place) for value, place in zip(values, places, strict=True)]
    bounds = [
        None if scalar is None else _ordered(Operator.BETWEEN, scalar, report, place)
        for scalar, place in zip(scalars, places, strict=True)
    ]
    known = tuple(bound for bound in bounds if bound is not None)
    if len(known) != len(values):
        return None
    if len({_kind(bound) for bound in known}) > 1:
        report("E103", path, "the bounds of `between` are of different kinds", "write two numbers or two dates")
        return None
    return known


def _kind(bound: Scalar | date) -> str:
    return "text" if isinstance(bound, str) else "date" if isinstance(bound, date) else "number"


def _moment(value: Any, report: Report, path: KeyPath) -> date | None:
    moment = parse_moment(str(value))
    if moment is None:
        report("E103", path, f"'{value}' is not a date", "write 2026-03-01 or 2026-03-01T10:00")
    return moment


def _elapsed(value: Any, report: Report, path: KeyPath) -> Operand | None:
    try:
        return parse_duration(str(value)).as_elapsed()
    except InvalidDurationError as error:
        report("E103", path, *error.told)
        return None
