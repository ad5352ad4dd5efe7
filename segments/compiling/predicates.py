"""Matchers in SQL. Their other form, for one value in Python, is `matcher`; one table of cases tests both."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, Text, and_, false, func, literal, not_, or_, true
from sqlalchemy.types import TypeEngine

from core.clock import to_micros
from core.errors import InputError
from segments.compiling.dialects import by_code_point, position_in
from segments.compiling.values import Element, Predicate, Subject
from segments.language.moments import Stretch, stretch_of
from segments.language.rules import Comparison, Matcher, Operand, Operator

_EXACT = 2**53  # integers below it are the same in a double
_TEXTS = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})


@dataclass(frozen=True, slots=True)
class Moment:
    """When a rule is asked, and in whose zone a day begins."""

    now: datetime
    zone: ZoneInfo


def matches(subject: Subject, matcher: Matcher, moment: Moment) -> Predicate:
    """Whether `subject` satisfies every comparison; of a list, one element must satisfy all that ask about elements."""
    about_elements = [one for one in matcher.comparisons if one.is_about_one_element]
    parts = [_about_the_whole(subject, one) for one in matcher.comparisons if not one.is_about_one_element]
    if about_elements:
        parts.append(subject.some(lambda element: conjunction(_holds(element, one, moment) for one in about_elements)))
    return conjunction(parts)


def _about_the_whole(subject: Subject, comparison: Comparison) -> Predicate:
    if comparison.operator is Operator.EXISTS:
        return subject.exists if comparison.operand else not_(subject.exists)
    wanted = comparison.operand if isinstance(comparison.operand, tuple) else (comparison.operand,)
    return not_(subject.some(lambda element: _is_one_of(element, wanted)))


def _holds(element: Element, comparison: Comparison, moment: Moment) -> Predicate:
    how, operand = comparison.operator, comparison.operand
    stretch = stretch_of(comparison, moment.now, moment.zone)
    if stretch is not None:
        return _lies_in(element, stretch)
    if isinstance(operand, tuple):
        if how is Operator.IN:
            return _is_one_of(element, operand)
        start, end = operand
        return and_(_ordered(element, Operator.GTE, start), _ordered(element, Operator.LT, end))
    if how is Operator.EQ:
        return _is_one_of(element, (operand,))
    if how is Operator.FROM_EVENT:
        raise InputError("`from_event` compares with the event that began a journey, and here is none.")
    return _in_text(element, how, operand) if how in _TEXTS else _ordered(element, how, operand)


def _is_one_of(element: Element, wanted: Sequence[object]) -> Predicate:
    """Equality within one kind: the number 5 is not the text "5", and true is not 1."""
    truths = [one for one in wanted if isinstance(one, bool)]
    numbers = [_number(one) for one in wanted if isinstance(one, int | float) and not isinstance(one, bool)]
    texts = [literal(one, Text()) for one in wanted if isinstance(one, str)]
    parts: list[Predicate] = []
    if element.truth is not None:
        parts += [element.truth == literal(one, Boolean()) for one in truths]
    if element.number is not None and numbers:
        parts.append(_among(element.number, numbers))
    if element.text is not None and texts:
        parts.append(_among(element.text, texts))
    return or_(false(), *parts)


def _among(value: ColumnElement[Any], wanted: Sequence[ColumnElement[Any]]) -> Predicate:
    return value == wanted[0] if len(wanted) == 1 else value.in_(wanted)


_ORDERS: Mapping[Operator, Callable[[Any, Any], Predicate]] = {
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
}


def _ordered(element: Element, order: Operator, bound: Operand) -> Predicate:
    if isinstance(bound, str) and element.text is not None:
        return _ORDERS[order](by_code_point(element.text), literal(bound, Text()))
    if isinstance(bound, int | float) and not isinstance(bound, bool) and element.number is not None:
        return _ORDERS[order](element.number, _number(bound))
    return false()


def _in_text(element: Element, how: Operator, part: Operand) -> Predicate:
    text = element.text
    if text is None or not isinstance(part, str):
        return false()
    wanted = literal(part, Text())
    if how is Operator.CONTAINS:
        return position_in(text, wanted) > 0
    if how is Operator.STARTS_WITH:
        return func.substr(text, 1, len(part)) == wanted
    length = func.length(text)
    return and_(length >= len(part), func.substr(text, length - (len(part) - 1)) == wanted)


def _lies_in(element: Element, stretch: Stretch) -> Predicate:
    """An instant is compared as one; a date lies where its midnight lies."""
    parts: list[Predicate] = []
    if element.instant is not None:
        start = stretch.start and to_micros(stretch.start.instant)
        end = stretch.end and to_micros(stretch.end.instant)
        parts.append(_between(element.instant, start, end, BigInteger()))
    if element.day is not None:
        first = stretch.start and stretch.start.day.isoformat()
        last = stretch.end and stretch.end.day.isoformat()
        parts.append(_between(element.day, first, last, Text()))
    return or_(false(), *parts)


def _between(value: ColumnElement[Any], start: object, end: object, kind: TypeEngine[Any]) -> Predicate:
    return and_(
        true() if start is None else value >= literal(start, kind),
        true() if end is None else value < literal(end, kind),
    )


def _number(value: int | float) -> ColumnElement[Any]:
    exact = isinstance(value, int) and abs(value) <= _EXACT
    return literal(value, BigInteger()) if exact else literal(float(value), Double())


def conjunction(parts: Iterable[Predicate]) -> Predicate:
    return and_(true(), *parts)
