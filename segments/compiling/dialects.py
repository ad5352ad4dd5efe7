"""The few forms that SQLite, PostgreSQL and DuckDB write differently: whatever touches a JSON document or a date.

Each tests what it finds before it casts, so that a value of the wrong kind is NULL on every engine: a bare cast ends
the query on PostgreSQL and counts "abc" as a number on SQLite. Nothing here uses LIKE, which ignores case on SQLite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Alias,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Integer,
    Table,
    Text,
    column,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine

from segments.language.moments import DATE_FORM, INSTANT_FORM

_ARGUMENT = re.compile(r":([a-z]+)")


class Part(StrEnum):
    """What of a member of a document can stand in a column of its own."""

    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    REST = "rest"  # a value of any other kind, as JSON


@dataclass(frozen=True, slots=True)
class Extracted:
    """Which members of documents a columnar copy has taken out: (table, column, key) to the column of each part.

    A part without a column never occurred. What is not named here has to be looked for in its document.
    """

    columns: Mapping[tuple[str, str, str], Mapping[Part, str]] = field(default_factory=dict)

    def find(self, document: object, path: object) -> Mapping[Part, str] | None:
        """The columns of the member at `path` of `document`, where that is a column of a table or of its alias."""
        if not self.columns or not isinstance(document, Column):
            return None
        source: Any = document.table
        table = source.element if isinstance(source, Alias) else source
        if not isinstance(table, Table):
            return None
        key = str(getattr(path, "name", ""))[4:-2].replace("''", "'")  # as `_path` wrote it
        return self.columns.get((table.name, document.name, key))


NOTHING_EXTRACTED = Extracted()


def _form(
    name: str, kind: TypeEngine[Any], arguments: str, part: Part | None = None, **forms: str
) -> type[FunctionElement[Any]]:
    """A piece of SQL that each dialect writes by its own form, with `:argument` where an argument belongs.

    `part` is what it asks of a document: where that is extracted, no document is read.
    """
    element = type(name, (FunctionElement,), {"inherit_cache": True, "type": kind})
    names = arguments.split()
    places = {argument: place for place, argument in enumerate(names)}

    def add(dialect: str, form: str) -> None:
        @compiles(element, dialect)
        def write(this: Any, compiler: Any, **options: Any) -> str:
            written = [compiler.process(argument, **options) for argument in this.clauses]
            extracted: Extracted = getattr(compiler.dialect, "extracted", NOTHING_EXTRACTED)
            clauses = list(this.clauses)
            columns = extracted.find(clauses[0], clauses[places["path"]]) if part is not None else None
            if columns is not None and part is not None:
                of = {one: _sibling(written[0], clauses[0], name, compiler) for one, name in columns.items()}
                if part in of and part is not Part.REST:
                    return of[part]
                if Part.REST not in of:
                    return f"CAST(NULL AS {compiler.dialect.type_compiler_instance.process(kind)})"
                written[0], written[places["path"]] = of[Part.REST], "'$'"
            return _ARGUMENT.sub(lambda found: written[places[found[1]]], form)

    for dialect, form in forms.items():
        add(dialect, form)
    return element


# A JSON number of more digits than this would not fit a double, and PostgreSQL would end the query.
_FITS = "< 300"

_number_in = _form(
    "number_in",
    Double(),
    "doc key path",
    Part.NUMBER,
    sqlite="CASE WHEN json_type(:doc, :path) IN ('integer', 'real') THEN CAST(json_extract(:doc, :path) AS REAL) END",
    postgresql="CASE WHEN jsonb_typeof(:doc -> :key) = 'number' AND length(:doc ->> :key) " + _FITS + " "
    "THEN CAST(:doc ->> :key AS DOUBLE PRECISION) END",
    duckdb="CASE WHEN json_type(:doc, :path) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') "
    "THEN CAST(json_extract_string(:doc, :path) AS DOUBLE) END",
)
_text_in = _form(
    "text_in",
    Text(),
    "doc key path",
    Part.TEXT,
    sqlite="CASE json_type(:doc, :path) WHEN 'text' THEN json_extract(:doc, :path) END",
    postgresql="(CASE jsonb_typeof(:doc -> :key) WHEN 'string' THEN :doc ->> :key END) COLLATE \"C\"",
    duckdb="CASE json_type(:doc, :path) WHEN 'VARCHAR' THEN json_extract_string(:doc, :path) END",
)
_truth_in = _form(
    "truth_in",
    Boolean(),
    "doc key path",
    Part.TRUTH,
    sqlite="CASE json_type(:doc, :path) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
    postgresql="CASE jsonb_typeof(:doc -> :key) WHEN 'boolean' THEN CAST(:doc ->> :key AS BOOLEAN) END",
    duckdb="CASE json_type(:doc, :path) WHEN 'BOOLEAN' THEN CAST(json_extract_string(:doc, :path) AS BOOLEAN) END",
)
_exists_in = _form(
    "exists_in",
    Boolean(),
    "doc key path",
    sqlite="coalesce(json_type(:doc, :path), 'null') <> 'null'",
    postgresql="coalesce(jsonb_typeof(:doc -> :key), 'null') <> 'null'",
)
# One row for a plain value, one for each element of a list.
_ELEMENTS = {
    "sqlite": "(SELECT type, value FROM json_each(:doc, :path) WHERE json_type(:doc, :path) <> 'object')",
    "postgresql": "(SELECT value FROM jsonb_path_query(:doc, :each) AS value)",
    "duckdb": "(SELECT unnest(CASE json_type(:doc, :path) WHEN 'ARRAY' THEN CAST(json_extract(:doc, :path) AS JSON[]) "
    "ELSE [json_extract(:doc, :path)] END) AS value)",
}
_elements = _form("elements", Text(), "doc path each", None, **_ELEMENTS)
_other_elements = _form("other_elements", Text(), "doc path each", Part.REST, **_ELEMENTS)
_number_of = _form(
    "number_of",
    Double(),
    "value type",
    sqlite="CASE WHEN :type IN ('integer', 'real') THEN CAST(:value AS REAL) END",
    postgresql="CASE WHEN jsonb_typeof(:value) = 'number' AND length(:value #>> '{}') " + _FITS + " "
    "THEN CAST(:value #>> '{}' AS DOUBLE PRECISION) END",
    duckdb="CASE WHEN json_type(:value) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') "
    "THEN CAST(json_extract_string(:value, '$') AS DOUBLE) END",
)
_text_of = _form(
    "text_of",
    Text(),
    "value type",
    sqlite="CASE :type WHEN 'text' THEN :value END",
    postgresql="(CASE jsonb_typeof(:value) WHEN 'string' THEN :value #>> '{}' END) COLLATE \"C\"",
    duckdb="CASE json_type(:value) WHEN 'VARCHAR' THEN json_extract_string(:value, '$') END",
)
_truth_of = _form(
    "truth_of",
    Boolean(),
    "value type",
    sqlite="CASE :type WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
    postgresql="CASE jsonb_typeof(:value) WHEN 'boolean' THEN CAST(:value #>> '{}' AS BOOLEAN) END",
    duckdb="CASE json_type(:value) WHEN 'BOOLEAN' THEN CAST(json_extract_string(:value, '$') AS BOOLEAN) END",
)

_position_in = _form(
    "position_in",
    Integer(),
    "text part",
    sqlite="instr(:text, :part)",
    postgresql="strpos(:text, :part)",
    duckdb="strpos(:text, :part)",
)
_by_code_point = _form("by_code_point", Text(), "text", sqlite=":text", postgresql=':text COLLATE "C"', duckdb=":text")
# SQLite's date() only notices that February has no 30th when it has to reckon, hence the '+0 days'.
_day_of = _form(
    "day_of",
    Text(),
    "text",
    sqlite="CASE WHEN date(:text, '+0 days') = :text AND substr(:text, 1, 1) IN ('1', '2') THEN :text END",
    postgresql="(CASE WHEN :text ~ '^" + DATE_FORM + '$\' THEN :text END) COLLATE "C"',
    duckdb="CASE WHEN regexp_full_match(:text, '" + DATE_FORM + "') THEN :text END",
)
_instant_of = _form(
    "instant_of",
    BigInteger(),
    "text",
    sqlite="CASE WHEN :text GLOB "
    "'[12][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' "
    "AND date(substr(:text, 1, 10), '+0 days') = substr(:text, 1, 10) AND substr(:text, 12, 2) < '24' "
    "AND substr(:text, 20) NOT GLOB '*[^-0-9:.Z+]*' AND strftime('%s', :text) IS NOT NULL "
    "THEN CAST(strftime('%s', substr(:text, 1, 19) "
    "|| CASE WHEN substr(:text, -6, 1) IN ('+', '-') THEN substr(:text, -6) ELSE '' END) AS INTEGER) * 1000000 END",
    postgresql="CASE WHEN :text ~ '^" + INSTANT_FORM + "$' "
    "THEN CAST(extract(epoch FROM CAST(substr(:text, 1, 19) "
    "|| CASE WHEN substr(right(:text, 6), 1, 1) IN ('+', '-') THEN right(:text, 6) ELSE 'Z' END "
    "AS TIMESTAMP WITH TIME ZONE)) AS BIGINT) * 1000000 END",
    duckdb="CASE WHEN regexp_full_match(:text, '" + INSTANT_FORM + "') "
    "THEN epoch_us(CAST(substr(:text, 1, 19) "
    "|| CASE WHEN substr(right(:text, 6), 1, 1) IN ('+', '-') THEN right(:text, 6) ELSE 'Z' END "
    "AS TIMESTAMP WITH TIME ZONE)) END",
)
# Sums of doubles differ by the order in which an engine adds them; whole ten-thousandths do not.
_fixed = _form(
    "fixed",
    BigInteger(),
    "number",
    sqlite="CASE WHEN abs(:number) < 1e11 THEN CAST(round(:number * 10000) AS INTEGER) END",
    postgresql="CASE WHEN abs(:number) < 1e11 THEN CAST(trunc(:number * 10000 + 0.5 * sign(:number)) AS BIGINT) END",
    duckdb="CASE WHEN abs(:number) < 1e11 THEN CAST(trunc(:number * 10000 + 0.5 * sign(:number)) AS BIGINT) END",
)

FIXED_SCALE = 10_000


class _SomeElement(FunctionElement[bool]):
    """Whether some element of a member passes: asked of its columns where it is extracted, else of all elements."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        """In parentheses wherever an EXISTS would be."""
        return Grouping(self) if operators.is_precedent(operators.exists, against) else self


@compiles(_SomeElement)
def _write_some(this: Any, compiler: Any, **options: Any) -> str:
    document, path, plain, among_elements = this.clauses
    extracted: Extracted = getattr(compiler.dialect, "extracted", NOTHING_EXTRACTED)
    columns = extracted.find(document, path)
    if columns is None:
        return str(compiler.process(among_elements, **options))
    alone = f"coalesce({compiler.process(plain, **options)}, false)"
    if Part.REST not in columns:
        return alone
    other = _sibling(compiler.process(document, **options), document, columns[Part.REST], compiler)
    return f"({alone} OR ({other} IS NOT NULL AND {compiler.process(among_elements, **options)}))"


@compiles(_exists_in, "duckdb")
def _write_exists(this: Any, compiler: Any, **options: Any) -> str:
    document, _key, path = this.clauses
    written = compiler.process(document, **options)
    extracted: Extracted = getattr(compiler.dialect, "extracted", NOTHING_EXTRACTED)
    columns = extracted.find(document, path)
    if columns is None:
        return f"coalesce(json_type({written}, {compiler.process(path, **options)}), 'NULL') <> 'NULL'"
    there = (f"{_sibling(written, document, name, compiler)} IS NOT NULL" for name in columns.values())
    return f"({' OR '.join(there) or 'false'})"


def _sibling(written: str, document: Any, name: str, compiler: Any) -> str:
    """Another column of the table that `document`, which was written as `written`, belongs to."""
    return written.removesuffix(_name(compiler, document.name)) + _name(compiler, name)


def _name(compiler: Any, name: str) -> str:
    return str(compiler.preparer.quote(name))


def number_in(document: ColumnElement[Any], key: str) -> ColumnElement[float]:
    """The number under `key` of a JSON object, or NULL."""
    return _number_in(document, _quoted(key), _path(key))


def text_in(document: ColumnElement[Any], key: str) -> ColumnElement[str]:
    return _text_in(document, _quoted(key), _path(key))


def truth_in(document: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    return _truth_in(document, _quoted(key), _path(key))


def exists_in(document: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    """Whether there is a value that is not null."""
    return _exists_in(document, _quoted(key), _path(key))


def elements_in(document: ColumnElement[Any], key: str) -> TableValuedAlias:
    """A table of what stands under `key`: one row for a plain value, one for each element of a list.

    An object has none. Ask `number_of`, `text_of` and `truth_of` for the value of a row.
    """
    return _table_of(_elements, document, key)


def other_elements_in(document: ColumnElement[Any], key: str) -> TableValuedAlias:
    """`elements_in` for `some_element`, which asks plain values that were extracted by themselves."""
    return _table_of(_other_elements, document, key)


def some_element(
    document: ColumnElement[Any], key: str, plain: ColumnElement[bool], among_elements: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether an element of what stands under `key` passes a test.

    `plain` is the test of `number_in`, `text_in` and `truth_in`; `among_elements` says whether a row of
    `other_elements_in` passes it.
    """
    return _SomeElement(document, _path(key), plain, among_elements)


def _table_of(form: type[FunctionElement[Any]], document: ColumnElement[Any], key: str) -> TableValuedAlias:
    elements = form(document, _path(key), _path(key, "[*]"))
    return elements.table_valued(column("value"), column("type"), name="element")


def number_of(element: TableValuedAlias) -> ColumnElement[float]:
    """The number that a row of `elements_in` holds, or NULL."""
    return _number_of(element.c.value, element.c.type)


def text_of(element: TableValuedAlias) -> ColumnElement[str]:
    return _text_of(element.c.value, element.c.type)


def truth_of(element: TableValuedAlias) -> ColumnElement[bool]:
    return _truth_of(element.c.value, element.c.type)


def position_in(text: ColumnElement[str], part: ColumnElement[str]) -> ColumnElement[int]:
    """The place of `part` in `text`, from 1; 0 when it is not in it."""
    return _position_in(text, part)


def by_code_point(text: ColumnElement[str]) -> ColumnElement[str]:
    """`text`, ordered as Python orders it and not by somebody's language."""
    return _by_code_point(text)


def day_of(text: ColumnElement[str]) -> ColumnElement[str]:
    """`text` where it is a date of the calendar, else NULL."""
    return _day_of(text)


def instant_of(text: ColumnElement[str]) -> ColumnElement[int]:
    """Microseconds since 1970 of an instant written as text, to the second, else NULL."""
    return _instant_of(text)


def fixed(number: ColumnElement[float]) -> ColumnElement[int]:
    """`number` in whole ten-thousandths, halves away from zero; NULL from 1e11 on, where sums could overflow."""
    return _fixed(number)


def _quoted(text: str) -> ColumnElement[Any]:
    return literal_column("'" + text.replace("'", "''") + "'", Text())


def _path(key: str, rest: str = "") -> ColumnElement[Any]:
    return _quoted(f'$."{key}"{rest}')
