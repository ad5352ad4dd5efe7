"""A schema's complaint in the words of somebody who writes campaigns, at the place that has to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import ValidationError

from core.errors import Fault
from core.located import KeyPath, Located
from core.schema_choice import FOUND, Finding, unknown_key_hint
from core.schema_files import Schema, definition, resolve
from core.suggest import did_you_mean

_FAMILIES = ("step", "condition", "trigger")
_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def faults_of(error: ValidationError, located: Located) -> Iterator[Fault]:
    """The faults that one complaint stands for: several unknown keys are several faults."""
    path: KeyPath = tuple(error.absolute_path)
    named_key = "propertyNames" in list(error.absolute_schema_path)[-3:]
    for finding in _findings(error):
        place = (*path, str(error.instance)) if named_key else path + finding.path
        at_key = named_key or finding.at_key
        yield located.fault(finding.code, place, finding.message, finding.hint, at_key=at_key)


def _findings(error: ValidationError) -> Iterator[Finding]:
    if error.validator == FOUND and isinstance(error.validator_value, Finding):
        yield error.validator_value
    elif error.validator == "required":
        yield from _missing(error)
    elif error.validator == "additionalProperties":
        yield from _unknown(error)
    else:
        yield _wrong(error)


def _missing(error: ValidationError) -> Iterator[Finding]:
    """jsonschema makes one complaint for each missing key and names the key only in its prose."""
    schema, value, required = _context(error)
    for key in required:
        if key not in value:
            form = describe(schema["properties"].get(key, {}))
            yield Finding("E101", f"the key '{key}' is missing", f"add '{key}:' with {form}")


def _unknown(error: ValidationError) -> Iterator[Finding]:
    schema, value, _ = _context(error)
    families = [definition(name) for name in _FAMILIES]
    for key in value:
        if key not in schema["properties"]:
            hint = unknown_key_hint(key, schema, families)
            yield Finding("E102", f"unknown key '{key}'", hint, (key,), at_key=True)


def _context(error: ValidationError) -> tuple[Schema, Any, Any]:
    """The schema that complains, the value that it complains of, and the limit that was not kept."""
    schema: Any = error.schema
    return schema, error.instance, error.validator_value


def _wrong(error: ValidationError) -> Finding:
    schema, value, limit = _context(error)
    hint = schema.get("x-hint", "")
    match error.validator:
        case "type" | "anyOf" | "enum" if value is None:
            message, hint = "nothing is written here", hint or f"write {describe(schema)}, or remove the key"
        case "type" if schema.get("type") == "boolean":
            message, hint = f"{shown(value)} is not true or false", f"write {_truth(value)}"
        case "type" | "pattern":
            message, hint = f"{shown(value)} is not {describe(schema)}", hint or f"write {describe(schema)}"
        case "anyOf":
            forms = describe(schema)
            hints = [resolve(branch).get("x-hint") for branch in limit]
            message, hint = (f"{shown(value)} is not {forms}", hint or next(filter(None, hints), f"write {forms}"))
        case "enum":
            words = ", ".join(str(word) for word in limit)
            message, hint = (f"{shown(value)} is not one of {words}", did_you_mean(value, limit) or "write one of them")
        case "const":
            message, hint = f"{shown(value)} cannot stand here", f"write {plain(limit)}"
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            message, hint = f"{shown(value)} is out of range", hint or _range(str(error.validator), limit)
        case "minItems" | "minProperties":
            message = "this is empty" if limit == 1 else f"there must be at least {limit} entries"
            hint = "add what is missing, or remove the key"
        case "maxItems" | "maxProperties":
            message, hint = f"there may be at most {limit} entries", "remove the others"
        case _:
            message, hint = f"{shown(value)} does not fit here", hint or f"write {describe(schema)}"
    return Finding("E103", message, hint)


def _truth(value: object) -> str:
    """What somebody meant who wrote yes or no; YAML 1.2 knows only true and false."""
    meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    return meant.get(str(value).lower(), "one of them")


def _range(keyword: str, limit: object) -> str:
    return {
        "minimum": f"write {limit} or more",
        "maximum": f"write {limit} or less",
        "exclusiveMinimum": f"write more than {limit}",
        "exclusiveMaximum": f"write less than {limit}",
    }[keyword]


def describe(schema: Schema) -> str:
    """What belongs here, with its article: "a duration", "'never' or 'after_exit'", "a list"."""
    shape = {**resolve(schema)}
    if "title" in shape:
        return str(shape["title"])
    if "const" in shape:
        return plain(shape["const"])
    if "enum" in shape:
        return " or ".join(plain(word) for word in shape["enum"])
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(describe(branch) for branch in shape["anyOf"]))
    kinds = [shape["type"]] if isinstance(shape.get("type"), str) else shape.get("type", [])
    return " or ".join(_TYPES[kind] for kind in kinds) or "a value"


def plain(value: object) -> str:
    """A fixed word as it is written in YAML."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"'{value}'"


def shown(value: object) -> str:
    """A value as it stands in the file, short enough for one line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return plain(value)
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case Mapping():
            return "a mapping"
        case _:
            text = " ".join(str(value).split())
            return f"'{text if len(text) <= 60 else text[:57] + '…'}'"
