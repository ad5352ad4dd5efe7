"""How many values of another kind than a condition asks for there are: such a value fails, and somebody should know.

Asked of the system of record and for itself, so that no refresh pays for it, and of a bounded sample: the first
profiles by id, and the newest events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, false, func, literal, not_, or_, select, true

from core.columns import Instant
from core.located import KeyPath
from customers.tables import ProfileStatus, customer_event, profile
from customers.workspace import Workspace
from segments.compiling.attributes import COLUMNS, is_sealed
from segments.compiling.values import Element, Member, Predicate, one_if
from segments.language.rules import (
    AggregateKind,
    AttributeRule,
    EventRule,
    Leaf,
    Matcher,
    Operator,
    RankRule,
    Reckoning,
    Rule,
    SequenceRule,
    Where,
    iter_leaves,
)

SAMPLE = 100_000  # rows of each table

_OF_NUMBERS = frozenset({AggregateKind.SUM, AggregateKind.AVG, AggregateKind.MIN, AggregateKind.MAX})
_ENDS = frozenset({AggregateKind.FIRST, AggregateKind.LAST})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """`count` values that the condition at `path` met in the sample and could not compare; `words` say which."""

    path: KeyPath
    words: str
    count: int


class _Kind(StrEnum):
    """What a matcher wants to compare, in the words of a warning."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "true or false"
    DATE = "a date"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One comparison of a member of a document: of profiles, or of events called one of `names` since `start`."""

    path: KeyPath
    key: str
    kinds: frozenset[_Kind]
    names: tuple[str, ...] = ()
    start: datetime | None = None

    @property
    def words(self) -> str:
        of = f" of {' or '.join(self.names)}" if self.names else ""
        return f"'{self.key}'{of} is not {' or '.join(sorted(self.kinds))}"


def count_mismatches(connection: Connection, rule: Rule, workspace: Workspace, now: datetime) -> list[Mismatch]:
    """What `rule` compares and met under another kind, in the order of its file; nothing where all is as it should be.

    Missing values are none, and a list counts when no element is of the kind. Nested segments, sealed attributes and
    plain columns are not looked at. At most `SAMPLE` profiles and as many events are read.
    """
    asked = [one for leaf in iter_leaves(rule) for one in _asked(leaf, workspace, now) if one.kinds]
    of_profiles = [one for one in asked if not one.names]
    of_events = [one for one in asked if one.names]
    events = _events(now)
    counts = _count(connection, _profiles(), [(one, true()) for one in of_profiles])
    counts |= _count(connection, events, [(one, _applies(events, one)) for one in of_events])
    return [Mismatch(one.path, one.words, counts[one]) for one in dict.fromkeys(asked) if counts[one]]


def _asked(leaf: Leaf, workspace: Workspace, now: datetime) -> Iterator[_Asked]:
    match leaf:
        case AttributeRule(name=name, matcher=matcher):
            if name not in COLUMNS and not is_sealed(name, workspace):
                yield _Asked((*leaf.path, "is"), name, _kinds(matcher))
        case EventRule():
            start = leaf.starts_at(now)
            yield from _of_where(leaf.where, leaf.path, leaf.names, start)
            for one in leaf.aggregates:
                kinds = _kinds(one.matcher) if one.kind in _ENDS else frozenset({_Kind.NUMBER})
                if one.of and one.kind in _OF_NUMBERS | _ENDS:
                    yield _Asked((*leaf.path, one.kind.value), one.of, kinds, leaf.names, start)
        case SequenceRule():
            for place, part in enumerate(leaf.parts):
                yield from _of_where(part.where, (*leaf.path, "sequence", place), part.names, None)
        case RankRule(basis=Reckoning() as basis):
            path, start = (*leaf.path, "rank", "by"), None if basis.within is None else now - basis.within
            yield from _of_where(basis.where, path, basis.names, start)
            if basis.of and basis.kind in _OF_NUMBERS:
                yield _Asked((*path, basis.kind.value), basis.of, frozenset({_Kind.NUMBER}), basis.names, start)


def _of_where(where: Where, path: KeyPath, names: tuple[str, ...], start: datetime | None) -> Iterator[_Asked]:
    for test in where:
        yield _Asked((*path, "where", test.name), test.name, _kinds(test.matcher), names, start)


def _kinds(matcher: Matcher) -> frozenset[_Kind]:
    """What the matcher compares with; nothing for one that only asks whether there is a value."""
    operands: list[object] = []
    for one in matcher.comparisons:
        if one.operator not in (Operator.EXISTS, Operator.FROM_EVENT):
            operands += one.operand if isinstance(one.operand, tuple) else [one.operand]
    return frozenset(map(_kind, operands))


def _kind(operand: object) -> _Kind:
    if isinstance(operand, bool):
        return _Kind.TRUTH
    if isinstance(operand, int | float):
        return _Kind.NUMBER
    return _Kind.DATE if isinstance(operand, date | timedelta) else _Kind.TEXT


def _profiles() -> Subquery:
    query = select(profile.c.attributes.label("document")).where(profile.c.status == ProfileStatus.ACTIVE.value)
    return query.order_by(profile.c.id).limit(SAMPLE).subquery("sample")


def _events(now: datetime) -> Subquery:
    event = customer_event.c
    query = select(event.name, event.occurred_at, event.properties.label("document"))
    newest = query.order_by(event.id.desc()).limit(SAMPLE).subquery("newest")
    return select(newest).where(newest.c.occurred_at < literal(now, Instant())).subquery("sample")


def _applies(events: Subquery, asked: _Asked) -> Predicate:
    start = asked.start
    since = true() if start is None else events.c.occurred_at >= literal(start, Instant())
    return and_(events.c.name.in_(asked.names), since)


def _count(connection: Connection, sample: Subquery, asked: Sequence[tuple[_Asked, Predicate]]) -> dict[_Asked, int]:
    """How many rows of `sample`, among those that are asked about, have a value of none of the kinds."""
    if not asked:
        return {}
    columns = []
    for place, (one, applies) in enumerate(asked):
        member = Member(sample.c.document, one.key)
        other = not_(member.some(partial(_is_one_of, kinds=one.kinds)))
        columns.append(func.count(one_if(and_(applies, member.exists, other))).label(f"count_{place}"))
    row = connection.execute(select(*columns).select_from(sample)).one()
    return dict(zip((one for one, _applies in asked), row, strict=True))


def _is_one_of(element: Element, kinds: frozenset[_Kind]) -> Predicate:
    there: dict[_Kind, list[ColumnElement[Any] | None]] = {
        _Kind.NUMBER: [element.number],
        _Kind.TEXT: [element.text],
        _Kind.TRUTH: [element.truth],
        _Kind.DATE: [element.day, element.instant],
    }
    values = [value for kind in sorted(kinds) for value in there[kind]]
    return or_(false(), *(value.is_not(None) for value in values if value is not None))
