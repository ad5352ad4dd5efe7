"""A ranking as one SELECT of places, on SQLite, PostgreSQL and DuckDB alike.

Ranked is every active person who has a value: an attribute that is a number, a date or an instant, or the number
reckoned of at least one event. The highest value has place 1; of equal values the lower profile id ranks higher.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, literal, select, true

from core.columns import Instant
from customers.tables import ProfileStatus, customer_event, profile
from customers.workspace import ValueKind, Workspace
from segments.compiling.attributes import COLUMNS, is_sealed
from segments.compiling.dialects import by_code_point, day_of, instant_of, number_in, text_in
from segments.compiling.features import Features
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Member, Plain, Predicate
from segments.language.rules import Aggregate, AggregateKind, EventRule, Matcher, RankBasis, Reckoning

OCCURRED_AT = "occurred_at"  # of `first` and `last`: the instant of the event, which no property has
RANKABLE = frozenset({ValueKind.NUMBER, ValueKind.DATE, ValueKind.INSTANT})

_ACTIVE = profile.c.status == ProfileStatus.ACTIVE.value
_ANY = Matcher(())


def rank_query(basis: RankBasis, now: datetime, workspace: Workspace) -> Select[tuple[int, int]]:
    """`profile_id` and `place` (from 1) of everybody who has a value by `basis` at `now`.

    Windows are half-open [now - within, now). Nobody has a place by an attribute that is sealed, undeclared, or of a
    kind that has no order of its own.
    """
    valued = _values(basis, Moment(now, ZoneInfo(workspace.timezone)), workspace).subquery("valued")
    place = func.row_number().over(order_by=(valued.c.value.desc(), valued.c.profile_id))
    return select(valued.c.profile_id, place.label("place")).where(valued.c.value.is_not(None))


def _values(basis: RankBasis, moment: Moment, workspace: Workspace) -> Select[Any]:
    if isinstance(basis, Reckoning):
        is_instant = basis.of == OCCURRED_AT and basis.kind in (AggregateKind.FIRST, AggregateKind.LAST)
        return _instants(basis, moment) if is_instant else _reckoned(basis, moment)
    value = attribute_value(basis, workspace)
    if value is None:
        return select(profile.c.id.label("profile_id"), literal(0).label("value")).where(~true())
    return select(profile.c.id.label("profile_id"), value.label("value")).where(_ACTIVE)


def attribute_value(name: str, workspace: Workspace) -> ColumnElement[Any] | None:
    """What people can be ranked by in an attribute; None where there is nothing to rank by."""
    kind = rankable_kind(name, workspace)
    if name in COLUMNS:
        return profile.c[name] if kind else None
    match kind:
        case ValueKind.NUMBER:
            return number_in(profile.c.attributes, name)
        case ValueKind.DATE:
            return by_code_point(day_of(text_in(profile.c.attributes, name)))
        case ValueKind.INSTANT:
            return instant_of(text_in(profile.c.attributes, name))
    return None


def rankable_kind(name: str, workspace: Workspace) -> ValueKind | None:
    """The kind of an attribute by which people can be ranked, else None."""
    if is_sealed(name, workspace):
        return None
    kind = COLUMNS[name] if name in COLUMNS else workspace.attributes[name].kind
    return kind if kind in RANKABLE else None


def _reckoned(basis: Reckoning, moment: Moment) -> Select[Any]:
    """Of those with at least one such event: who has none is not ranked, whatever is reckoned."""
    aggregate = Aggregate(basis.kind, basis.of, _ANY)
    event = EventRule(basis.names, where=basis.where, within=basis.within, aggregates=(aggregate,))
    features = Features([event], moment, None)
    subject = features.subject(event, aggregate)
    if isinstance(subject, Member):
        value: ColumnElement[Any] = number_in(subject.document, subject.key)
        return select(profile.c.id.label("profile_id"), value.label("value")).where(_ACTIVE)
    assert isinstance(subject, Plain)
    assert subject.element.number is not None
    [table] = features.tables
    return (
        select(profile.c.id.label("profile_id"), subject.element.number.label("value"))
        .select_from(profile.join(table, table.c.profile_id == profile.c.id))
        .where(_ACTIVE)
    )


def _instants(basis: Reckoning, moment: Moment) -> Select[Any]:
    event = customer_event.c
    edge = func.min if basis.kind is AggregateKind.FIRST else func.max
    return (
        select(event.profile_id, edge(event.occurred_at).label("value"))
        .select_from(customer_event.join(profile, profile.c.id == event.profile_id))
        .where(_ACTIVE, _counts(basis, moment))
        .group_by(event.profile_id)
    )


def _counts(basis: Reckoning, moment: Moment) -> Predicate:
    event = customer_event.c
    return and_(
        event.name.in_(basis.names),
        true() if basis.within is None else event.occurred_at >= literal(moment.now - basis.within, Instant()),
        event.occurred_at < literal(moment.now, Instant()),
        *(matches(Member(event.properties, test.name), test.matcher, moment) for test in basis.where),
    )
