"""`anyOf` without its noise: of several forms, the one that the writer meant is chosen, and only it
complains.

A mapping is recognised by the key that tells the forms apart (`x-key`: a step's verb, a condition's leaf),
anything else by its type. Choosing instead of trying also keeps the check linear in the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import ValidationError

from core.located import KeyPath
from core.schema_files import Schema, resolve
from core.suggest import did_you_mean, nearest

FOUND = "x-found"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that is already worded; `path` leads on from the value at which it was found."""

    code: str
    message: str
    hint: str = ""
    path: KeyPath = ()
    at_key: bool = False

    def as_error(self) -> ValidationError:
        """Carried through jsonschema, which adds the path down to the value."""
        return ValidationError(self.message, validator=FOUND, validator_value=self)


def any_of(validator: Any, branches: Sequence[Schema], value: object, schema: Schema) -> Iterator[ValidationError]:
    """The keyword `anyOf`, with the signature that jsonschema asks of a keyword."""
    if "type" in schema and not validator.is_type(value, schema["type"]):
        return  # the keyword `type` beside us says so
    if "x-choice" in schema and isinstance(value, Mapping):
        yield from _by_key(validator, branches, value, schema["x-choice"])
        return
    candidates = [index for index, branch in enumerate(branches) if _may_be(validator, resolve(branch), value)]
    if len(candidates) == 1:
        yield from validator.descend(value, branches[candidates[0]], schema_path=candidates[0])
        return
    attempts = [list(validator.descend(value, branches[index])) for index in candidates]
    if any(not complaints for complaints in attempts):
        return
    shaped = (complaints for complaints in attempts if all(each.validator == FOUND for each in complaints))
    yield from next(shaped, [ValidationError("no form fits", validator="anyOf", validator_value=branches)])


def _may_be(validator: Any, shape: Schema, value: object) -> bool:
    """Whether `value` is at least of the type that `shape` describes."""
    if "enum" in shape or "const" in shape:
        return any(_same_type(value, known) for known in shape.get("enum", [shape.get("const")]))
    if "type" in shape:
        kinds = [shape["type"]] if isinstance(shape["type"], str) else shape["type"]
        return any(validator.is_type(value, kind) for kind in kinds)
    return any(_may_be(validator, resolve(branch), value) for branch in shape.get("anyOf", ()))


def _same_type(value: object, known: object) -> bool:
    return type(value) is type(known)


def _by_key(
    validator: Any, branches: Sequence[Schema], value: Mapping[str, object], choice: str
) -> Iterator[ValidationError]:
    shapes = {resolve(branch)["x-key"]: (index, resolve(branch)) for index, branch in enumerate(branches)}
    present = [key for key in value if key in shapes]
    if not present:
        yield _nothing_chosen(value, shapes, choice).as_error()
        return
    chosen = next((key for key in present if _allows(shapes[key][1], present)), None)
    if chosen is None:
        first, second = present[:2]
        yield _several_chosen(first, second, choice).as_error()
        chosen, others = first, {key for other in present[1:] for key in shapes[other][1]["properties"]}
        kept = shapes[first][1]["properties"]
        value = {key: inner for key, inner in value.items() if key in kept or key not in others}
    index = shapes[chosen][0]
    yield from validator.descend(value, branches[index], schema_path=index)


def _allows(shape: Schema, keys: Sequence[str]) -> bool:
    return all(key in shape["properties"] for key in keys)


def _nothing_chosen(value: Mapping[str, object], shapes: Mapping[str, object], choice: str) -> Finding:
    slip = next(((key, word) for key in value if (word := nearest(key, shapes)) is not None), None)
    if choice == "step":
        hint = f"did you mean '{slip[1]}' for '{slip[0]}'?" if slip else "give it one, such as email, wait or choose"
        return Finding("E104", "this step has no verb", hint)
    if slip:
        return Finding("E102", f"unknown key '{slip[0]}'", f"did you mean '{slip[1]}'?", (slip[0],), at_key=True)
    if not value:
        return Finding("E101", f"this {choice} is empty", f"begin it with one of {', '.join(shapes)}")
    key = next(iter(value))
    return Finding("E102", f"'{key}' is no {choice}", f"begin it with one of {', '.join(shapes)}", (key,), at_key=True)


def _several_chosen(first: str, second: str, choice: str) -> Finding:
    noun = {"step": "verbs"}.get(choice, f"{choice}s")
    hint = "make two list items of them" if choice != "test" else "keep one of them"
    return Finding("E105", f"two {noun} in one: '{first}' and '{second}'", hint, (second,), at_key=True)


def unknown_key_hint(key: str, schema: Schema, families: Sequence[Schema]) -> str:
    """The nearest known key; else the verb or leaf that the key belongs to; else what is known here."""
    known = list(schema.get("properties", ()))
    if hint := did_you_mean(key, known):
        return hint
    for family in families:
        shapes = [resolve(branch) for branch in family["anyOf"]]
        if schema in shapes:
            owners = [f"'{shape['x-key']}'" for shape in shapes if key in shape["properties"]]
            if owners:
                return f"it belongs to {', '.join(owners)}"
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 12 else "remove it"
