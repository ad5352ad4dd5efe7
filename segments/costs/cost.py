"""What a rule will cost, before anything of it runs: the rows that the database would look at, and by which index.

The database's own plan says how it would go about it, its statistics how many rows that is. It is an estimate: good
enough to tell a second from an hour, and made to be too high rather than too low.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select

from core.columns import Instant
from core.errors import InputError
from customers.tables import customer_event
from segments.costs import postgresql_plan, sqlite_plan
from segments.costs.plan_steps import Step
from segments.language.nesting import inline
from segments.language.rules import EventRule, Rule, iter_leaves

# Rows a second of one core, in round figures: a promise of the order of magnitude and no more.
_ROWS_A_SECOND = {"sqlite": 1_500_000, "postgresql": 2_500_000}
_COUNTED_AT_MOST = 1_000_000  # through the index, a few hundredths of a second


@dataclass(frozen=True, slots=True)
class Cost:
    """`rows` that would be looked at in all, about `seconds` of one core, and the steps, the dearest first."""

    rows: int
    seconds: float
    steps: tuple[Step, ...]


def estimate(
    connection: Connection, query: Select[Any], rule: Rule, segments: Mapping[str, Rule], now: datetime
) -> Cost:
    """The cost of `query`, which `compile_rule` has made of `rule`; nothing of it is run."""
    if connection.dialect.name == "sqlite":
        steps = sqlite_plan.read_steps(connection, query, _count_events(connection, rule, segments, now))
    else:
        steps = postgresql_plan.read_steps(connection, query)
    rows = sum(step.rows for step in steps)
    ordered = tuple(sorted(steps, key=lambda step: (-step.rows, step.table, step.by)))
    return Cost(rows, rows / _ROWS_A_SECOND[connection.dialect.name], ordered)


def refuse_above(cost: Cost, limit: int, name: str) -> None:
    """Raises InputError, with the reason and the ways out, when `cost` is above `limit` rows; 0 allows everything."""
    if not limit or cost.rows <= limit:
        return
    dearest = cost.steps[0]
    raise InputError(
        f"the segment '{name}' would look at {cost.rows:,} rows, and {limit:,} are allowed; {dearest.rows:,} of them "
        f"are in {dearest.table} ({dearest.by}). Ask about a shorter time (`within`) or fewer events, run it all the "
        f"same with --force, or raise POSTILION_SEGMENT_ROWS."
    )


def _count_events(connection: Connection, rule: Rule, segments: Mapping[str, Rule], now: datetime) -> Mapping[str, int]:
    """How many events the conditions of `rule` can be about: SQLite keeps no statistics that would tell.

    Counted through the index up to a million; from there on the whole table is assumed.
    """
    leaves = [leaf for leaf in iter_leaves(inline(rule, segments)) if isinstance(leaf, EventRule)]
    names = sorted({name for leaf in leaves for name in leaf.names})
    if not names:
        return {}
    starts = [leaf.starts_at(now) for leaf in leaves]
    known = [start for start in starts if start is not None]
    event = customer_event.c
    some = select(literal(1)).where(event.name.in_(names))
    if len(known) == len(starts):
        some = some.where(event.occurred_at >= literal(min(known), Instant()))
    counted = connection.scalar(select(func.count()).select_from(some.limit(_COUNTED_AT_MOST).subquery())) or 0
    return {customer_event.name: counted} if counted < _COUNTED_AT_MOST else {}
