"""The keys of a JSON Schema as rows of a table: nested ones with dots, shared definitions as links to their section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from core.schema_files import Schema, get_schema, resolve
from docs.pages.markdown import code, sentence

_COMMON = "#/$defs/"
_NOT_YET = "*Does not work yet.* "
_PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "nothing",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One key; `anything` between angle brackets is a name that the writer of the file chooses."""

    key: str
    value: str
    meaning: str
    is_required: bool

    @property
    def cells(self) -> tuple[str, str, str]:
        return (code(self.key) + (" *" if self.is_required else ""), self.value, self.meaning)


def rows_of(schema: Schema, prefix: str = "", not_yet: frozenset[str] = frozenset()) -> list[Row]:
    """A row for every key of `schema`, and for those of the mappings inside it; `not_yet` are keys to be marked."""
    required = schema.get("required", ())
    rows = []
    for key, child in schema.get("properties", {}).items():
        rows += _rows(f"{prefix}{key}", child, is_required=key in required)
    return [replace(row, meaning=_NOT_YET + row.meaning) if row.key in not_yet else row for row in rows]


def value_of(schema: Schema) -> str:
    """What a value may be, in a few words."""
    schema, name = _follow(schema)
    if name is not None:
        return f"[{name.replace('_', ' ')}](yaml.md#{name})"
    if "const" in schema:
        return code(_yaml(schema["const"]))
    if "enum" in schema:
        return " · ".join(code(_yaml(one)) for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(value_of(branch) for branch in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {value_of(schema['items'])}" if schema.get("items") else "list"
    kinds = schema.get("type", "anything")
    if isinstance(kinds, list):
        return " or ".join(_PLAIN[kind] for kind in kinds)
    return _PLAIN.get(kinds, "mapping" if kinds == "object" else "anything")


def _rows(key: str, schema: Schema, *, is_required: bool) -> list[Row]:
    row = Row(key, value_of(schema), sentence(_meaning(schema)), is_required)
    return [row, *(inner for part, suffix in _mappings(schema) for inner in _inside(key + suffix, part))]


def _inside(key: str, schema: Schema) -> Iterator[Row]:
    yield from rows_of(schema, f"{key}.")
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        yield from _rows(f"{key}.<name>", others, is_required=False)


def _mappings(schema: Schema) -> Iterator[tuple[Schema, str]]:
    """The mappings that stand directly in `schema`, or in a list or a choice; not those that have a section."""
    schema, name = _follow(schema)
    if name is not None:
        return
    for branch in schema.get("anyOf", ()):
        yield from _mappings(branch)
    if schema.get("type") == "array" and "items" in schema:
        yield from ((part, f"[]{suffix}") for part, suffix in _mappings(schema["items"]))
    if schema.get("type") == "object":
        yield schema, ""


def _meaning(schema: Schema) -> str:
    """What a key is for; what every value of a shared definition is, stands in the section of that definition."""
    described = schema
    while "description" not in described and "$ref" in described:
        described = _one_step(described)
    is_shared = _follow(schema)[1] is not None and "description" not in schema and described == resolve(schema)
    has_keys = resolve(schema).get("type") in ("object", "array")
    return "" if is_shared and not has_keys else str(described.get("description", ""))


def _follow(schema: Schema) -> tuple[Schema, str | None]:
    """What `schema` refers to, up to the first shared definition, and the name of that."""
    while "$ref" in schema:
        name = schema["$ref"].partition(_COMMON)[2]
        schema = _one_step(schema)
        if "/" not in name:
            return schema, name
    return schema, None


def _one_step(schema: Schema) -> Schema:
    target: Any = get_schema("common")
    for part in schema["$ref"].partition("#/")[2].split("/"):
        target = target[part]
    found: Schema = target
    return found


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
