"""Conditions on the order of events: A, then B, then C, in seven days.

Any choice of events may satisfy it, not only the first of each. Two
events follow one another by instant, and then by id.

Of all chains that lead up to an event only the one that began last matters, since every window that holds an older one
holds it too; so the events of a person, put in order, need one running maximum for each part. To put everybody's in
order is dear: whoever has few events, as nearly all have, is found by joining them instead.
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
    FromClause,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    union,
)

from core.clock import from_micros
from core.columns import Instant
from customers.tables import customer_event
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Member, Predicate, one_if
from segments.language.rules import SequencePart, SequenceRule

Who = Sequence[int] | Select[tuple[int]]

_MICROSECOND = timedelta(microseconds=1)
_FEW = 40  # events that may be a part; of so many there are some hundred pairs within the time of a chain
_AT: ColumnElement[int] = type_coerce(customer_event.c.occurred_at, BigInteger())


class Sequences:
    """Who went through what `rules` ask about; `tables` has one for each, to be outer-joined by `profile_id`."""

    def __init__(self, rules: Iterable[SequenceRule], moment: Moment, batch: Sequence[int] | None) -> None:
        distinct = {repr(rule): rule for rule in rules}  # the value 1 equals True, and means something else
        self._tables: dict[str, CTE] = {}
        for number, (key, rule) in enumerate(distinct.items(), start=1):
            name = f"sequence_{number}"
            if batch is not None:
                self._tables[key] = _in_order(rule, moment, batch).cte(name)
                continue
            busy = select(_busy(rule, moment).cte(f"busy_{number}").prefix_with("MATERIALIZED").c.profile_id)
            self._tables[key] = union(_joined(name, rule, moment, busy), _in_order(rule, moment, busy)).cte(name)

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


def _micros(duration: timedelta) -> ColumnElement[int]:
    return literal(duration // _MICROSECOND, BigInteger())


def _is_in_time(chain: Sequence[int], within: timedelta | None) -> bool:
    return within is None or chain[-1] - chain[0] < within // _MICROSECOND


def _in_order(rule: SequenceRule, moment: Moment, who: Who) -> Select[tuple[int]]:
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
    in_time = true() if rule.within is None else level.c.at - began < _micros(rule.within)
    return select(level.c.profile_id).where(began.is_not(None), in_time).group_by(level.c.profile_id)


def _events(rule: SequenceRule, moment: Moment, who: Who) -> Select[Any]:
    """The events that may be a part, and for each part whether they are."""
    event = customer_event.c
    hits = [_is_part(part, moment).label(f"is_{number}") for number, part in enumerate(rule.parts, start=1)]
    query = select(event.profile_id, _AT.label("at"), event.id, *hits)
    return query.where(_may_be_part(rule.parts, rule, moment), event.profile_id.in_(who))


def _busy(rule: SequenceRule, moment: Moment) -> Select[tuple[int]]:
    """Who has so many events that to join them with each other would be dear.

    Those of the first part do not count, though they are mostly the most: they are joined last, each with few others.
    """
    person = customer_event.c.profile_id
    query = select(person).where(_may_be_part(rule.parts[1:], rule, moment), person.is_not(None))
    return query.group_by(person).having(func.count() > _FEW)


def _joined(name: str, rule: SequenceRule, moment: Moment, others: Select[tuple[int]]) -> Select[tuple[int]]:
    """Everybody but `others`: the events of the last part, joined with those of the part before, and so on."""
    last = _part(rule, rule.parts[-1], moment, _AT.label("ended"))
    chain: FromClause = last.where(customer_event.c.profile_id.not_in(others)).cte(f"{name}_{len(rule.parts)}")
    for number in range(len(rule.parts) - 1, 0, -1):
        part = _part(rule, rule.parts[number - 1], moment).subquery(f"{name}_part_{number}")
        follows = or_(chain.c.at > part.c.at, and_(chain.c.at == part.c.at, chain.c.id > part.c.id))
        in_time = true() if rule.within is None else chain.c.ended - part.c.at < _micros(rule.within)
        both = chain.join(part, and_(part.c.profile_id == chain.c.profile_id, follows, in_time))
        if number == 1:
            break
        longer = select(part.c.profile_id, part.c.at, part.c.id, chain.c.ended).select_from(both)
        chain = longer.cte(f"{name}_{number}").prefix_with("MATERIALIZED")
    return select(part.c.profile_id).select_from(both).distinct()


def _part(rule: SequenceRule, part: SequencePart, moment: Moment, *more: ColumnElement[Any]) -> Select[Any]:
    event = customer_event.c
    query = select(event.profile_id, _AT.label("at"), event.id, *more)
    return query.where(_is_part(part, moment), _in_reach(rule, moment), event.profile_id.is_not(None))


def _may_be_part(parts: Iterable[SequencePart], rule: SequenceRule, moment: Moment) -> Predicate:
    names = sorted({name for part in parts for name in part.names})
    return and_(customer_event.c.name.in_(names), _in_reach(rule, moment))


def _in_reach(rule: SequenceRule, moment: Moment) -> Predicate:
    at = customer_event.c.occurred_at
    started = true() if rule.start is None else at >= literal(rule.start, Instant())
    return and_(at < literal(moment.now, Instant()), started)


def _is_part(part: SequencePart, moment: Moment) -> Predicate:
    event = customer_event.c
    properties = (matches(Member(event.properties, test.name), test.matcher, moment) for test in part.where)
    return and_(event.name.in_(part.names), *properties)
