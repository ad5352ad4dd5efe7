"""Conditions on the order of events: A, then B, then C, in seven days.

Any choice of events may satisfy it, not only the first of each. Of all chains that lead up to an event only the one
that began last matters, since every window that holds an older one holds it too; so one running maximum for each part
is enough, and no event is ever joined with another. Two events follow one another by instant, and then by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
)

from core.clock import from_micros
from core.columns import Instant
from customers.tables import customer_event
from segments.dialects import one_stretch_later, stretches
from segments.predicates import Moment, matches
from segments.rules import SequencePart, SequenceRule
from segments.values import Member, Predicate, one_if

Who = Sequence[int] | Select[tuple[int]]

_MICROSECOND = timedelta(microseconds=1)
_AT: ColumnElement[int] = type_coerce(customer_event.c.occurred_at, BigInteger())


class Sequences:
    """Who went through what `rules` ask about; `tables` has one for each, to be outer-joined by `profile_id`."""

    def __init__(self, rules: Iterable[SequenceRule], moment: Moment, batch: Sequence[int] | None) -> None:
        distinct = {repr(rule): rule for rule in rules}  # the value 1 equals True, and means something else
        self._tables: dict[str, CTE] = {}
        for number, (key, rule) in enumerate(distinct.items(), start=1):
            who: Who | None = batch
            if who is None:  # made once, or DuckDB hashes all events to look them up in a few people
                found = _candidates(rule, moment).cte(f"candidates_{number}").prefix_with("MATERIALIZED")
                who = select(found.c.profile_id)
            self._tables[key] = _people(rule, moment, who).cte(f"sequence_{number}")

    @property
    def tables(self) -> list[CTE]:
        return list(self._tables.values())

    def predicate(self, rule: SequenceRule) -> Predicate:
        return self._tables[repr(rule)].c.profile_id.is_not(None)


def name_events(connection: Connection, rule: SequenceRule, profile_id: int, moment: Moment) -> str:
    """When the parts happened, as `2026-06-01T08:00:00Z, 2026-06-03T09:30:00Z`, or how far it went: `2 of 3`."""
    chains: list[tuple[int, ...]] = [()] * len(rule.parts)
    furthest = 0
    events = _events(rule, moment, [profile_id]).order_by("at", "id")
    for row in connection.execute(events).mappings():
        for place in reversed(range(len(rule.parts))):
            before = chains[place - 1] if place else ()
            if (place and not before) or not row[f"is_{place + 1}"]:
                continue
            chain = (*before, row["at"])
            if place + 1 == len(rule.parts) and _is_in_time(chain, rule.within):
                return ", ".join(from_micros(at).strftime("%Y-%m-%dT%H:%M:%SZ") for at in chain)
            furthest = max(furthest, place + 1)
            if not chains[place] or chain[0] >= chains[place][0]:
                chains[place] = chain
    return f"{furthest} of {len(rule.parts)}" if furthest < len(rule.parts) else "not in time"


def _is_in_time(chain: Sequence[int], within: timedelta | None) -> bool:
    return within is None or chain[-1] - chain[0] < within // _MICROSECOND


def _people(rule: SequenceRule, moment: Moment, who: Who) -> Select[tuple[int]]:
    """Level by level: `began` is when the latest chain began of which the row is the last event so far."""
    last = len(rule.parts)
    level: Any = _events(rule, moment, who).subquery("level_1")
    began: ColumnElement[int] = one_if(level.c.is_1, level.c.at)
    concerns = or_(*(level.c[f"is_{number}"] for number in range(1, last + 1)))
    for number in range(2, last + 1):
        before = func.max(began).over(
            partition_by=level.c.profile_id, order_by=(level.c.at, level.c.id), rows=(None, -1)
        )
        later = [level.c[f"is_{one}"] for one in range(number + 1, last + 1)]
        reached = one_if(level.c[f"is_{number}"], before).label("began")
        query = select(level.c.profile_id, level.c.at, level.c.id, *later, reached)
        if number == 2 and any(part.where for part in rule.parts):
            query = query.where(concerns)
        level = query.subquery(f"level_{number}")
        began = level.c.began
    in_time = true() if rule.within is None else level.c.at - began < literal(rule.within // _MICROSECOND, BigInteger())
    return select(level.c.profile_id).where(began.is_not(None), in_time).group_by(level.c.profile_id)


def _events(rule: SequenceRule, moment: Moment, who: Who) -> Select[Any]:
    """The events that may be a part, and for each part whether they are."""
    event = customer_event.c
    hits = [_is_part(part, moment).label(f"is_{number}") for number, part in enumerate(rule.parts, start=1)]
    query = select(event.profile_id, _AT.label("at"), event.id, *hits)
    return query.where(_may_be_part(rule, moment), event.profile_id.in_(who))


def _candidates(rule: SequenceRule, moment: Moment) -> Select[tuple[int]]:
    """Those of everybody for whom it is worth to put the events in order, which is the dear part.

    Time is cut into stretches as long as the window: all of a chain lies in the last event's and the one before.
    """
    event = customer_event.c
    called = [event.name.in_(part.names) for part in rule.parts]
    if rule.within is None:
        columns = [
            func.min(one_if(called[0], _AT)).label("earliest"),
            func.max(one_if(called[-1], _AT)).label("latest"),
        ]
    else:
        width = rule.within // _MICROSECOND
        columns = [stretches(hit, _AT, width).label(f"in_{number}") for number, hit in enumerate(called, start=1)]
    known = select(event.profile_id, *columns).where(_may_be_part(rule, moment), event.profile_id.is_not(None))
    person = known.group_by(event.profile_id).subquery("person").c
    query = select(person.profile_id)
    if rule.within is None:
        return query.where(person.earliest <= person.latest)
    *earlier, last = [person[column.name] for column in columns]
    shared: ColumnElement[int] = last
    for one in earlier:
        shared = shared.bitwise_and(one.bitwise_or(one_stretch_later(one)))
    return query.where(shared != 0)


def _may_be_part(rule: SequenceRule, moment: Moment) -> Predicate:
    event = customer_event.c
    names = sorted({name for part in rule.parts for name in part.names})
    started = true() if rule.start is None else event.occurred_at >= literal(rule.start, Instant())
    return and_(event.name.in_(names), event.occurred_at < literal(moment.now, Instant()), started)


def _is_part(part: SequencePart, moment: Moment) -> Predicate:
    event = customer_event.c
    properties = (matches(Member(event.properties, test.name), test.matcher, moment) for test in part.where)
    return and_(event.name.in_(part.names), *properties)
