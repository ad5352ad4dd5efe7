"""The JSON Schemas of the project's files, read once.

They are data beside the packages, in `schema/`, so that an editor uses the same files as `postilion check`.
Three keywords in them are ours: `x-key` and `x-choice` (see `schema_choice`), `x-check` (see `schema_rules`);
`x-hint` is the way out of a fault, and `x-named-by` the key that repeats the file's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).resolve().parent.parent / "schema"
_COMMON = "common"

Schema = Mapping[str, Any]


@cache
def schema_names() -> tuple[str, ...]:
    """The kinds of file that have a schema."""
    names = sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))
    return tuple(name for name in names if name != _COMMON)


@cache
def get_schema(name: str) -> Schema:
    schema: Schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


@cache
def get_registry() -> Registry[Any]:
    """Every schema under its relative address; nothing is ever fetched."""
    resources = [
        (f"{name}.schema.json", DRAFT202012.create_resource(get_schema(name))) for name in (*schema_names(), _COMMON)
    ]
    return Registry().with_resources(resources)


def resolve(schema: Schema) -> Schema:
    """`schema` itself, or what its `$ref` points to; all references lead into the common schema."""
    while "$ref" in schema:
        target: Any = get_schema(_COMMON)
        for part in schema["$ref"].partition("#/")[2].split("/"):
            target = target[part]
        schema = target
    return schema


def definition(name: str) -> Schema:
    """The shared definition `name`, such as `step` or `condition`."""
    return resolve({"$ref": f"#/$defs/{name}"})


@cache
def words_of(name: str) -> tuple[str, ...]:
    """The keys that tell the forms of a choice apart: `step` gives the verbs, `condition` the leaves."""
    return tuple(resolve(branch)["x-key"] for branch in definition(name)["anyOf"])
