"""One step of a database's plan, in words that both databases share. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

WHOLE_TABLE = "all of it"
PRIMARY_KEY = "primary key"


@dataclass(frozen=True, slots=True)
class Step:
    """`rows` of `table` would be looked at, found `by` an index; `all of it` means that none helps."""

    table: str
    by: str
    rows: int


def added_up(steps: Iterable[Step]) -> list[Step]:
    """Steps through the same table by the same way as one."""
    totals: Counter[tuple[str, str]] = Counter()
    for step in steps:
        totals[step.table, step.by] += step.rows
    return [Step(table, by, rows) for (table, by), rows in totals.items()]
