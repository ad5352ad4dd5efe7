"""SQLite's plan of a query as steps, from `EXPLAIN QUERY PLAN` and the sizes of its tables; nothing of it is run.

The plan says the order of the loops and their indexes. How many rows an index finds is taken from `sqlite_stat1` where
somebody ran ANALYZE; otherwise a search by person finds each person's share, and every other search the whole table.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, inspect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement, Executable

from core.database import metadata
from customers.tables import profile
from segments.costs.plan_steps import PRIMARY_KEY, WHOLE_TABLE, Step, added_up

_LOOK = re.compile(
    r"(?P<how>SCAN|SEARCH) (?P<table>\w+)(?: AS \w+)?"
    r"(?: USING (?:AUTOMATIC |PARTIAL |COVERING )*(?P<by>INDEX (?P<index>\w+)|INTEGER PRIMARY KEY|PRIMARY KEY|INDEX)"
    r"(?: \((?P<columns>.*)\))?)?"
)
_OF_ONE_PERSON = frozenset({"profile_id", "lookup", "message_id", "rowid", "id"})


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain, "sqlite")
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.statement, **options)}"


def read_steps(connection: Connection, query: Select[Any], known: Mapping[str, int]) -> list[Step]:
    """The steps of `query`; `known` says how many rows of a table a search that is not by person finds."""
    children: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for number, parent, _unused, detail in connection.execute(_Explain(query)):
        children[parent].append((number, detail))
    reader = _Reader(connection, children, known)
    return added_up(reader.walk(0, 1.0))


@dataclass(slots=True)
class _Reader:
    connection: Connection
    children: Mapping[int, Sequence[tuple[int, str]]]
    known: Mapping[str, int]
    _sizes: dict[str, int] = field(default_factory=dict)

    def walk(self, parent: int, loops: float) -> Iterator[Step]:
        """Neighbours are nested loops, the first one outermost; what is correlated runs once a row of theirs."""
        inner = loops
        below = []
        for number, detail in self.children.get(parent, ()):
            look = _LOOK.match(detail)
            if look is None:
                below.append((number, detail.startswith("CORRELATED")))
                continue
            rows = self._rows(look)
            inner *= max(1.0, rows)
            if look["table"] in metadata.tables:
                yield Step(look["table"], _by(look), round(inner))
        for number, is_correlated in below:
            yield from self.walk(number, inner if is_correlated else loops)

    def _rows(self, look: re.Match[str]) -> float:
        """How many rows one run of this loop finds."""
        table = look["table"]
        if table not in metadata.tables:  # what was worked out before: a row a person at most, or a list's elements
            return self._size(profile.name) if look["how"] == "SCAN" and not table.startswith("anon") else 1.0
        size = self._size(table)
        if look["how"] == "SCAN":
            return size
        first = re.match(r"\w+", look["columns"] or "")
        if (look["by"] or "").endswith("PRIMARY KEY") or (first and first[0] in _OF_ONE_PERSON):
            return max(1.0, size / max(1, self._size(profile.name)))
        return min(size, self._average(look), self.known.get(table, size))

    def _average(self, look: re.Match[str]) -> float:
        """Rows for one value of the index's first columns, as ANALYZE has counted them."""
        size = float(self._size(look["table"]))
        if not look["index"] or not inspect(self.connection).has_table("sqlite_stat1"):
            return size
        query = "SELECT stat FROM sqlite_stat1 WHERE tbl = ? AND idx = ?"
        told = self.connection.exec_driver_sql(query, (look["table"], look["index"])).scalar()
        equal = (look["columns"] or "").count("=?")
        words = str(told or "").split()
        return float(words[equal]) if 0 < equal < len(words) and words[equal].isdigit() else size

    def _size(self, table: str) -> int:
        """The highest id, which no count of rows exceeds; without one, the rows are counted."""
        if table not in self._sizes:
            column = "max(id)" if "id" in metadata.tables[table].c and _is_numbered(table) else "count(*)"
            query = f"SELECT {column} FROM {table}"
            self._sizes[table] = self.connection.exec_driver_sql(query).scalar() or 0
        return self._sizes[table]


def _is_numbered(table: str) -> bool:
    return bool(metadata.tables[table].c.id.type.python_type is int)


def _by(look: re.Match[str]) -> str:
    if look["how"] == "SCAN":
        return WHOLE_TABLE
    return look["index"] or PRIMARY_KEY
