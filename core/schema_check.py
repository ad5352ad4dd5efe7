"""Whether a file has the shape that its kind asks for: keys, types, patterns, and what each value must be by
itself.

What needs another file, the database or the version of the engine (unknown segments, steps that cannot have
run, words that do not work yet) is checked above. All faults of a file are found in one run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from core.errors import Fault
from core.located import Located
from core.schema_choice import any_of
from core.schema_files import get_registry, get_schema
from core.schema_kinds import check_kind
from core.schema_rules import check
from core.schema_wording import faults_of


def check_schema(located: Located, schema_name: str) -> list[Fault]:
    """Every fault of `located` against `schema/<schema_name>.schema.json`, sorted by place."""
    complaints = _validator(schema_name).iter_errors(located.data)
    faults = {fault for complaint in complaints for fault in faults_of(complaint, located)}
    places = {(fault.line, fault.column) for fault in faults}
    misnamed = _misnamed(located, get_schema(schema_name))
    faults.update(fault for fault in misnamed if (fault.line, fault.column) not in places)
    return sorted(check_kind(located, schema_name, faults))


@cache
def _validator(schema_name: str) -> Any:
    keywords = {"anyOf": any_of, "pattern": _whole_pattern, "x-check": check}
    extended: Any = validators.extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call] # in the stubs
    return extended(get_schema(schema_name), registry=get_registry())


def _whole_pattern(_of: Any, pattern: str, value: object, _schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """`pattern` as JSON Schema means it: digits are 0 to 9, and `$` is the very end, line end included."""
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("does not match")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern, re.ASCII)


def _misnamed(located: Located, schema: Mapping[str, Any]) -> Iterator[Fault]:
    key = schema.get("x-named-by")
    stem = PurePath(located.file).stem
    name = located.data.get(key) if isinstance(located.data, dict) else None
    if key and isinstance(name, str) and name != stem:
        message = f"the {key} is called '{name}' and its file '{stem}'"
        yield located.fault("W106", (key,), message, "give both the same name")
