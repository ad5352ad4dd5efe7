"""What rules reckon of the customer log: grouped passes over it, for all their event conditions together.

Conditions with the same events, properties and window share a filter. One filter is the WHERE of its pass; where
several share one, each stands in its own columns. `first` and `last` want one event, no sum: they look it up by the
index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Double, and_, cast, distinct, func, literal, select, true

from core.columns import Instant
from customers.tables import customer_event, profile
from segments.compiling.dialects import FIXED_SCALE, fixed, number_in, text_in, truth_in
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Element, Member, Plain, Predicate, Subject, one_if
from segments.language.rules import Aggregate, AggregateKind, EventRule, Where

_LOOKED_UP = frozenset({AggregateKind.FIRST, AggregateKind.LAST})


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which events one condition is about."""

    names: tuple[str, ...]
    where: Where
    start: datetime | None

    def predicate(self, moment: Moment) -> Predicate:
        event = customer_event.c
        return and_(
            event.name.in_(self.names) if len(self.names) > 1 else event.name == self.names[0],
            true() if self.start is None else event.occurred_at >= literal(self.start, Instant()),
            *(matches(Member(event.properties, test.name), test.matcher, moment) for test in self.where),
        )


@dataclass(frozen=True, slots=True)
class _Total:
    """One number that the pass adds up."""

    filter: _Filter
    kind: AggregateKind
    of: str | None


class Features:
    """The passes that `events` need, and what they yield; `tables` has them, to be outer-joined by `profile_id`."""

    def __init__(self, events: Iterable[EventRule], moment: Moment, batch: Sequence[int] | None) -> None:
        self._moment = moment
        totals = dict.fromkeys(
            total
            for event in events
            for aggregate in event.aggregates
            if aggregate.kind not in _LOOKED_UP
            for total in _totals(self._filter(event), aggregate)
        )
        self._labels = {total: f"{total.kind}_{number}" for number, total in enumerate(totals, start=1)}
        self._tables = self._passes(batch)

    @property
    def tables(self) -> list[CTE]:
        """Empty when nothing is to be added up."""
        return list(dict.fromkeys(self._tables.values()))

    def subject(self, event: EventRule, aggregate: Aggregate) -> Subject:
        """What `aggregate` yields for each profile."""
        wanted = self._filter(event)
        if aggregate.kind in _LOOKED_UP:
            return Member(self._one_event(wanted, aggregate.kind), aggregate.of or "")
        columns = [self._column(total) for total in _totals(wanted, aggregate)]
        if aggregate.kind in (AggregateKind.COUNT, AggregateKind.DISTINCT):
            return Plain(Element(func.coalesce(columns[0], 0)), None)
        if aggregate.kind is AggregateKind.SUM:
            return Plain(Element(_unfixed(func.coalesce(columns[0], 0))), None)
        number = columns[0]
        if aggregate.kind is AggregateKind.AVG:
            number = _divided(_unfixed(columns[0]), cast(func.nullif(columns[1], 0), Double()))
        return Plain(Element(number), number)

    def _filter(self, event: EventRule) -> _Filter:
        return _Filter(tuple(sorted(event.names)), event.where, event.starts_at(self._moment.now))

    def _column(self, total: _Total) -> ColumnElement[float]:
        return self._tables[total.filter].c[self._labels[total]]

    def _passes(self, batch: Sequence[int] | None) -> dict[_Filter, CTE]:
        """By filter, the table that has its numbers.

        The few events of a batch are read once for all filters. Of everybody's, each filter passes over most, and to
        try all filters on every event costs more than a pass for each.
        """
        filters = list(dict.fromkeys(total.filter for total in self._labels))
        if batch is not None or len(filters) < 2:
            return dict.fromkeys(filters, self._pass(filters, batch, "features")) if filters else {}
        return {one: self._pass([one], batch, f"features_{number}") for number, one in enumerate(filters, start=1)}

    def _pass(self, filters: Sequence[_Filter], batch: Sequence[int] | None, name: str) -> CTE:
        only = filters[0] if len(filters) == 1 else None
        columns = [
            _reckon(total, None if only else total.filter.predicate(self._moment)).label(label)
            for total, label in self._labels.items()
            if total.filter in filters
        ]
        event = customer_event.c
        wanted = only.predicate(self._moment) if only else _any_of(filters)
        past = event.occurred_at < literal(self._moment.now, Instant())
        who = event.profile_id.is_not(None) if batch is None else event.profile_id.in_(batch)
        query = select(event.profile_id, *columns).where(wanted, past, who)
        return query.group_by(event.profile_id).cte(name)

    def _one_event(self, wanted: _Filter, kind: AggregateKind) -> ColumnElement[object]:
        """The properties of the earliest or latest event; of two at one instant the id decides."""
        event = customer_event.c
        order = (event.occurred_at, event.id)
        return (
            select(event.properties)
            .where(
                event.profile_id == profile.c.id,
                wanted.predicate(self._moment),
                event.occurred_at < literal(self._moment.now, Instant()),
            )
            .order_by(*(order if kind is AggregateKind.FIRST else (column.desc() for column in order)))
            .limit(1)
            .correlate(profile)
            .scalar_subquery()
        )


def _totals(wanted: _Filter, aggregate: Aggregate) -> list[_Total]:
    """The numbers that an aggregate is made of: a mean is a sum and a count of the same property."""
    is_mean = aggregate.kind is AggregateKind.AVG
    kinds = [AggregateKind.SUM, AggregateKind.COUNT] if is_mean else [aggregate.kind]
    return [_Total(wanted, kind, aggregate.of) for kind in kinds]


def _any_of(filters: Sequence[_Filter]) -> Predicate:
    """The names and the widest window of all filters: what an index can find."""
    names = sorted({name for one in filters for name in one.names})
    starts = [one.start for one in filters]
    event = customer_event.c
    known = [start for start in starts if start is not None]
    since = event.occurred_at >= literal(min(known), Instant()) if len(known) == len(starts) else true()
    return and_(event.name.in_(names), since)


def _reckon(total: _Total, hit: Predicate | None) -> ColumnElement[Any]:
    properties = customer_event.c.properties

    def where_hit(value: ColumnElement[Any]) -> ColumnElement[Any]:
        return value if hit is None else one_if(hit, value)

    if total.of is None:
        return func.count() if hit is None else func.count(one_if(hit))
    number = number_in(properties, total.of)
    match total.kind:
        case AggregateKind.COUNT:
            return func.count(where_hit(fixed(number)))
        case AggregateKind.SUM:
            return func.sum(where_hit(fixed(number)))
        case AggregateKind.MIN:
            return func.min(where_hit(number))
        case AggregateKind.MAX:
            return func.max(where_hit(number))
        case _:
            kinds = (number, text_in(properties, total.of), truth_in(properties, total.of))
            counts = [func.count(distinct(where_hit(value))) for value in kinds]
            return counts[0] + counts[1] + counts[2]


def _unfixed(total: ColumnElement[float]) -> ColumnElement[float]:
    return _divided(cast(total, Double()), literal(float(FIXED_SCALE), Double()))


def _divided(number: ColumnElement[float], by: ColumnElement[float]) -> ColumnElement[float]:
    return number.op("/", return_type=Double())(by)  # of two doubles: nothing has to be added for integers
