"""When a verdict about one person will change by itself, and what would change it before: nothing here is stored.

Time alone changes a condition at the instants at which an event enters or leaves its window (see `timing`) or a consent
runs out. Each condition is asked again just behind every such instant; the rule as a whole follows from the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, literal, select

from core.columns import Instant
from customers.tables import consent_entry, customer_event, identity
from segments.language.rules import (
    Aggregate,
    AggregateKind,
    Comparison,
    ConsentRule,
    EventRule,
    Leaf,
    Operator,
    Rule,
    evaluate,
    iter_leaves,
)
from segments.language.timing import timing_of, together
from segments.language.wording import length_in_words

Holds = Callable[[Leaf, datetime], bool]

_JUST_BEHIND = timedelta(microseconds=1)
_LOOKED_AT = 200  # instants of one condition: what lies behind them is not told


@dataclass(frozen=True, slots=True)
class Outlook:
    """`changes_at` is when the whole rule changes by itself, and `leaf_changes` when each condition does (None: never,
    or not within what was looked at). `by_clock` tells that a date or a clock decides too, at a moment not worked out.
    """

    changes_at: datetime | None
    leaf_changes: Mapping[Leaf, datetime]
    by_clock: bool


def look_ahead(connection: Connection, rule: Rule, profile_id: int, now: datetime, holds: Holds) -> Outlook:
    """The outlook for `rule`, in which segments are inlined; `holds` answers a condition for the person at an instant.

    It is what happens without a new event: any may come in between.
    """
    lines: dict[Leaf, list[tuple[datetime, bool]]] = {}
    for leaf in dict.fromkeys(iter_leaves(rule)):
        instants = [at + _JUST_BEHIND for at in _edges(connection, leaf, profile_id, now)]
        lines[leaf] = [(at, holds(leaf, at)) for at in (now, *instants)]
    state = {leaf: line[0][1] for leaf, line in lines.items()}
    leaf_changes = {leaf: at for leaf, line in lines.items() if (at := _first_change(line)) is not None}
    verdict, changes_at = evaluate(rule, state.__getitem__), None
    turns = sorted(
        ((at, leaf, held) for leaf, line in lines.items() for at, held in line[1:]), key=lambda turn: turn[0]
    )
    for place, (at, leaf, held) in enumerate(turns):
        state[leaf] = held
        is_last_of_instant = place + 1 == len(turns) or turns[place + 1][0] > at
        if is_last_of_instant and evaluate(rule, state.__getitem__) != verdict:
            changes_at = at
            break
    timing = together(timing_of(leaf) for leaf in lines)
    return Outlook(changes_at, leaf_changes, timing.rhythm is not None)


def _first_change(line: Sequence[tuple[datetime, bool]]) -> datetime | None:
    return next((at for at, held in line[1:] if held != line[0][1]), None)


def _edges(connection: Connection, leaf: Leaf, profile_id: int, now: datetime) -> list[datetime]:
    """The instants from `now` on at which an event of the person passes an edge of a window, or a consent runs out."""
    timing = timing_of(leaf)
    event = customer_event.c
    edges: set[datetime] = set()
    for window in timing.windows:
        query = (
            select(event.occurred_at)
            .where(
                event.profile_id == profile_id,
                event.name.in_(window.names),
                event.occurred_at >= literal(now - window.within, Instant()),
            )
            .order_by(event.occurred_at)
            .limit(_LOOKED_AT)
        )
        edges.update(at + window.within for at in connection.scalars(query))
    if timing.expires and isinstance(leaf, ConsentRule):
        edges.update(_expiries(connection, leaf, profile_id, now))
    return sorted(edges)[:_LOOKED_AT]


def _expiries(connection: Connection, leaf: ConsentRule, profile_id: int, now: datetime) -> Sequence[datetime]:
    entry = consent_entry.c
    lookups = select(identity.c.lookup).where(identity.c.profile_id == profile_id)
    query = select(entry.expires_at).where(
        entry.lookup.in_(lookups), entry.channel == leaf.channel, entry.expires_at > literal(now, Instant())
    )
    return [at for at in connection.scalars(query) if at is not None]


def what_it_needs(leaf: Leaf, values: Sequence[object]) -> str | None:
    """What is missing until `leaf` holds, such as `needs 2 more order_placed within 30d`; None where none can be told.

    `values` are those of the aggregates of an event condition.
    """
    if not isinstance(leaf, EventRule):
        return None
    lacks = [_lack(leaf, aggregate, value) for aggregate, value in zip(leaf.aggregates, values, strict=True)]
    return ", ".join(lack for lack in lacks if lack) or None


def _lack(leaf: EventRule, aggregate: Aggregate, value: object) -> str | None:
    if not isinstance(value, int | float) or aggregate.kind not in (AggregateKind.COUNT, AggregateKind.SUM):
        return None
    missing = max((_missing(one, value) for one in aggregate.matcher.comparisons), default=0.0)
    if missing <= 0:
        return None
    names = " or ".join(leaf.names)
    where = " that fit" if leaf.where else ""
    within = f" within {length_in_words(leaf.within)}" if leaf.within else ""
    if aggregate.kind is AggregateKind.COUNT and aggregate.of is None:
        return f"needs {missing:,g} more {names}{where}{within}"
    return f"needs {missing:,.12g} more {aggregate.of} of {names}{where}{within}"


def _missing(comparison: Comparison, value: float) -> float:
    """How far `value` lies below what is asked; a number strictly greater is taken for the next whole one."""
    bound = (
        comparison.operand[0] if isinstance(comparison.operand, tuple) and comparison.operand else comparison.operand
    )
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        return 0.0
    match comparison.operator:
        case Operator.GTE | Operator.EQ | Operator.BETWEEN:
            return bound - value
        case Operator.GT:
            return bound + 1 - value
    return 0.0
