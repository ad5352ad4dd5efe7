"""JSON Schemas that a project writes itself (draft 2020-12), for values that come from outside.

Faults name the place, never the value: it may be somebody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

_AT_ROOT = "the whole"


def find_schema_fault(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with `schema`, None when it is one. References may lead to nothing but itself."""
    try:
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).is_valid({})
    except SchemaError as error:
        return error.message
    except Unresolvable as error:
        return f"'{error.ref}' leads nowhere"
    return None


def find_value_fault(schema: Mapping[str, Any], value: Any) -> str | None:
    """Where `value` does not fit `schema` and which rule says so, such as `items.0.sku breaks the rule 'type'`."""
    found = best_match(Draft202012Validator(schema).iter_errors(value))
    if found is None:
        return None
    if found.validator == "required":
        missing = [name for name in found.validator_value if name not in found.instance]
        return f"{_place(found.absolute_path)} lacks {', '.join(map(str, missing))}"
    return f"{_place(found.absolute_path)} breaks the rule '{found.validator}'"


def _place(path: Any) -> str:
    return ".".join(map(str, path)) or _AT_ROOT
