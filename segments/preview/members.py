"""The people of a rule as a list of ids, and that list as something to join with: the rule is asked once.

An id costs eight bytes, so that a million members fit anywhere. No temporary table is made: a reader may not.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec
from sqlalchemy import CTE, BigInteger, Connection, Select, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from core.ids import bucket

_ROWS = 10_000
_SAMPLE_SEED = "segments/sample"


def find_ids(connection: Connection, query: Select[tuple[int]]) -> Sequence[int]:
    """Every id that `query` answers, in its order."""
    ids = array("q")
    for some in connection.execute(query).scalars().partitions(_ROWS):
        ids.extend(some)
    return ids


def people(connection: Connection, ids: Sequence[int], name: str = "people") -> CTE:
    """`ids` as a relation with the one column `id`, handed over as one parameter; `name` is its own in a query."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(msgspec.json.encode(list(ids)).decode()).table_valued("value")
        return select(each.c.value.label("id")).cte(name)
    return select(func.unnest(literal(list(ids), ARRAY(BigInteger))).label("id")).cte(name)


def spread_sample(ids: Sequence[int], size: int) -> list[int]:
    """`size` of `ids` from all over them, always the same ones, in their order: those whose hash is smallest."""
    if len(ids) <= size or not size:
        return list(ids[:size])
    step = max(1, len(ids) // (size * 50))  # to hash a million ids would take seconds
    return sorted(sorted(ids[::step], key=lambda number: (bucket(_SAMPLE_SEED, number), number))[:size])
