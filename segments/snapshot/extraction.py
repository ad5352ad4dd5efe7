"""Members of documents as columns: what `workspace.yaml` declares is taken out of the JSON once, not at each question.

A declared member may still be of any kind, so that it has a column for each declared kind and one, `rest`, for what is
of another: a list, an object, a text where a number was declared. Columns in which nothing ever stood are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from customers.own_events import OWN_EVENTS
from customers.tables import customer_event, profile
from customers.workspace import ValueKind, Workspace
from segments.compiling.dialects import Extracted, Part
from segments.snapshot.words import quoted, text

if TYPE_CHECKING:
    import duckdb

_PART_OF: Mapping[ValueKind, Part] = {
    ValueKind.NUMBER: Part.NUMBER,
    ValueKind.TEXT: Part.TEXT,
    ValueKind.DATE: Part.TEXT,
    ValueKind.INSTANT: Part.TEXT,
    ValueKind.BOOLEAN: Part.TRUTH,
}
_TYPE_OF = {Part.NUMBER: "DOUBLE", Part.TEXT: "VARCHAR", Part.TRUTH: "BOOLEAN", Part.REST: "JSON"}
_VALUE_OF = {
    Part.NUMBER: "CASE WHEN json_type({0}) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') "
    "THEN CAST(json_extract_string({0}, '$') AS DOUBLE) END",
    Part.TEXT: "CASE json_type({0}) WHEN 'VARCHAR' THEN json_extract_string({0}, '$') END",
    Part.TRUTH: "CASE json_type({0}) WHEN 'BOOLEAN' THEN CAST(json_extract_string({0}, '$') AS BOOLEAN) END",
}
_JSON_TYPES = {
    Part.NUMBER: ("BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"),
    Part.TEXT: ("VARCHAR",),
    Part.TRUTH: ("BOOLEAN",),
}
# Nobody selects people by what names one single happening: these stay in their document.
_NAMES = frozenset({"message_id", "origin_id", "decision_id", "order_id", "enrolment_id", "task_id", "merge_id"})


@dataclass(frozen=True, slots=True)
class Keys:
    """The declared members of the document `column`, each with the kinds that it is declared with."""

    column: str
    parts: Mapping[str, frozenset[Part]]

    def columns(self) -> Iterator[tuple[str, Part]]:
        """Every column that they may need."""
        for key in sorted(self.parts):
            for part in (*sorted(self.parts[key]), Part.REST):
                yield key, part


def declared_keys(workspace: Workspace) -> dict[str, Keys]:
    """By table, what is taken out."""
    specs = [*workspace.events.values(), *OWN_EVENTS.values()]
    properties = [item for spec in specs for item in spec.properties.items() if item[0] not in _NAMES]
    attributes = [(name, spec.kind) for name, spec in workspace.attributes.items() if not spec.is_personal]
    return {
        customer_event.name: Keys("properties", _parts(properties)),
        profile.name: Keys("attributes", _parts(attributes)),
    }


def _parts(members: Iterable[tuple[str, ValueKind]]) -> dict[str, frozenset[Part]]:
    found: dict[str, frozenset[Part]] = {}
    for name, kind in members:
        part = _PART_OF.get(kind)
        found[name] = found.get(name, frozenset()) | ({part} if part else set())
    # DuckDB does not tell "Total" from "total".
    spoken_for: dict[str, str] = {}
    return {name: parts for name, parts in found.items() if spoken_for.setdefault(name.casefold(), name) == name}


def column_of(keys: Keys, key: str, part: Part) -> str:
    return f"{keys.column}.{key}.{part}"


def found_in(connection: duckdb.DuckDBPyConnection, source: str, keys: Keys) -> list[str]:
    """Those of `keys` that occur in `source`, in order."""
    members = f"SELECT DISTINCT unnest(json_keys({quoted(keys.column)})) FROM {source}"
    return sorted(keys.parts.keys() & {key for (key,) in connection.execute(members).fetchall()})


def extracting_from(source: str, keys: Keys, found: Sequence[str]) -> str:
    """A SELECT of everything in `source` (a table's name or a query) and of a column for each part of the members
    `found`."""
    if not found:
        return f"SELECT * FROM {source}"
    listed = ", ".join(text(f'$."{key}"') for key in found)
    columns = ", ".join(
        f"{_value(keys, key, part, f'_members[{place}]')} AS {quoted(column_of(keys, key, part))}"
        for place, key in enumerate(found, start=1)
        for part in (*sorted(keys.parts[key]), Part.REST)
    )
    members = f"SELECT *, json_extract({quoted(keys.column)}, [{listed}]) AS _members FROM {source}"
    return f"SELECT * EXCLUDE (_members), {columns} FROM ({members})"


def _value(keys: Keys, key: str, part: Part, member: str) -> str:
    if part is not Part.REST:
        return _VALUE_OF[part].format(member)
    seen = ["NULL", *(kind for one in sorted(keys.parts[key]) for kind in _JSON_TYPES[one])]
    return f"CASE WHEN json_type({member}) NOT IN ({', '.join(map(text, seen))}) THEN {member} END"


def declarations(keys: Keys, only: Collection[str] | None = None) -> dict[str, str]:
    """Every column that the members (those in `only`, where given) may need, with its type."""
    return {column_of(keys, key, part): _TYPE_OF[part] for key, part in keys.columns() if only is None or key in only}


def extracted_of(connection: duckdb.DuckDBPyConnection, keys: Mapping[str, Keys]) -> Extracted:
    """What the tables of `connection` really have."""
    rows = connection.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    there = set(rows)
    return Extracted(
        {
            (table, of.column, key): {
                part: name for part in (*parts, Part.REST) if (table, name := column_of(of, key, part)) in there
            }
            for table, of in keys.items()
            for key, parts in of.parts.items()
        }
    )
