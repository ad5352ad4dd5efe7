"""A query as text with its values written out, broken into lines that a person can read. Nothing is run by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select

_TOKENS = re.compile(r"'(?:[^']|'')*'|\(|\)|,|[^\s(),']+")
_CLAUSES = frozenset({"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "LEFT", "JOIN", "UNION"})
_FURTHER_IN = frozenset({"AND", "OR", "LEFT", "JOIN", "WHEN", "ELSE"})
_INDENT = "  "
_WIDTH = 100


def sql_of(connection: Connection, query: Select[Any]) -> str:
    """`query` in the dialect of this database: a clause or a condition a line, selects inside others further in."""
    compiled = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    if connection.dialect.name == "postgresql":
        compiled = compiled.replace("%%", "%")  # doubled for its driver
    return "\n".join(_lines(compiled)) + "\n"


def _lines(text: str) -> Iterator[str]:
    """`selects` holds of each select that is open its brackets' depth, where alone a line may break, and its indent."""
    line, before, depth, selects = "", "", 0, [(0, 0)]
    for word in _TOKENS.findall(text):
        if word == "SELECT" and before == "(":
            selects.append((depth, _indent_of(line) + 1))
        opened_at, indent = selects[-1]
        may_break = depth == opened_at
        is_start = word in _CLAUSES | _FURTHER_IN and before not in ("LEFT", "OUTER")
        if may_break and line.strip() and is_start and not (before == "CASE" and word == "WHEN"):
            yield line
            line = _INDENT * (indent + (word in _FURTHER_IN)) + word
        elif may_break and before == "," and _indent_of(line) > indent:  # a select in brackets ended there
            yield line
            line = _INDENT * indent + word
        elif may_break and before == "," and len(line) > _WIDTH:
            yield line
            line = _INDENT * (indent + 1) + word
        else:
            line += _between(before, word) + word
        depth += (word == "(") - (word == ")")
        if len(selects) > 1 and depth < selects[-1][0]:
            selects.pop()
        before = word
    yield line


def _between(before: str, word: str) -> str:
    """A call keeps its bracket; a word of SQL stands apart from it."""
    if not before or before == "(" or word in (")", ","):
        return ""
    is_call = word == "(" and before[-1].isalnum() and (not before.isupper() or before == "CAST")
    return "" if is_call else " "


def _indent_of(line: str) -> int:
    return (len(line) - len(line.lstrip())) // len(_INDENT)
