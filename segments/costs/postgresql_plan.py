"""PostgreSQL's plan of a query as steps, from `EXPLAIN (FORMAT JSON)`; nothing of the query is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement, Executable

from segments.costs.plan_steps import WHOLE_TABLE, Step, added_up

_SIZES = text(
    "SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class "
    "WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
)
_KEPT = frozenset({"Materialize", "Memoize", "Hash", "Sort"})  # read once, however often they are asked

Node = Mapping[str, Any]


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain, "postgresql")
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


def read_steps(connection: Connection, query: Select[Any]) -> list[Step]:
    sizes = dict(connection.execute(_SIZES).tuples().all())
    [plan] = connection.execute(_Explain(query)).scalar_one()
    return added_up(_walk(plan["Plan"], 1.0, sizes))


def _walk(node: Node, loops: float, sizes: Mapping[str, int]) -> Iterator[Step]:
    """The steps below `node`, which is run `loops` times."""
    table = node.get("Relation Name")
    children = node.get("Plans", [])
    if table is not None:
        is_whole = node["Node Type"] == "Seq Scan"
        rows = max(sizes.get(table, 0), node["Plan Rows"]) if is_whole else node["Plan Rows"]
        yield Step(table, WHOLE_TABLE if is_whole else _index(node), round(max(1.0, rows * loops)))
    looked_at = sizes.get(table, node["Plan Rows"]) if table is not None else node["Plan Rows"]
    outer = next((child["Plan Rows"] for child in children if child.get("Parent Relationship") == "Outer"), 1)
    for child in children:
        yield from _walk(child, loops * _times(node, child, looked_at, outer), sizes)


def _times(node: Node, child: Node, looked_at: float, outer: float) -> float:
    """How often `child` runs for each run of `node`."""
    match child.get("Parent Relationship"):
        case "Inner" if node["Node Type"] == "Nested Loop" and child["Node Type"] not in _KEPT:
            return max(1.0, outer)
        case "SubPlan" if f"hashed {child.get('Subplan Name')}" not in str(node.get("Filter", "")) and not str(
            child.get("Subplan Name", "")
        ).startswith("CTE "):
            return max(1.0, looked_at)
    return 1.0


def _index(node: Node) -> str:
    if "Index Name" in node:
        return str(node["Index Name"])
    names = sorted({_index(child) for child in node.get("Plans", [])})
    return ", ".join(name for name in names if name) or "index"
