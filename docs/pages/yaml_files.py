"""`yaml.md`: every key of every kind of file, from the JSON Schemas."""

from __future__ import annotations

from core.schema_files import Schema, definition, get_schema, resolve, schema_names, words_of
from docs.pages.markdown import code, page, sentence, table
from docs.pages.not_yet import CHOICES, KEYS
from docs.pages.schema_rows import rows_of, value_of

_PLACES = {
    "workspace": "workspace.yaml",
    "segment": "segments/NAME.yaml",
    "list": "lists/NAME.yaml",
    "campaign": "campaigns/NAME.yaml",
    "journey": "journeys/NAME.yaml",
    "offer": "offers/NAME.yaml",
    "form": "forms/NAME.yaml",
    "template": "templates/NAME.mjml, templates/NAME.txt",
    "mapping": "imports/KIND.yaml",
    "test": "tests/NAME.yaml",
}
_REMARKS = {"test": " No command reads these files yet."}
_ORDER = tuple(_PLACES)


def render() -> str:
    kinds = sorted(schema_names(), key=_ORDER.index)
    return page(
        "The files of a project",
        "`schema/*.json`",
        "A star marks a key that must be there. `<name>` is a name that you choose, `[]` an item of a list. Editors "
        "with the YAML language server complete and check from the same schemas, when the first line of a file is "
        "`# yaml-language-server: $schema=PATH/schema/KIND.schema.json`. A few words are known and do not work yet: "
        "`postilion check` answers [E160](fault-codes.md#e160) to them.",
        table(["kind", "file"], [(f"[{kind}](#{kind}-files)", code(_PLACES[kind])) for kind in kinds]),
        *(_kind(kind) for kind in kinds),
        "# Shared words",
        "What several kinds of file have in common.",
        *(_shared(name) for name in get_schema("common")["$defs"] if not _is_branch(name)),
    )


def _kind(kind: str) -> str:
    schema = get_schema(kind)
    return "\n\n".join(
        [
            f"## {kind} files",
            f"{_sentence(schema)} Stands in {code(_PLACES[kind])}.{_REMARKS.get(kind, '')}",
            _keys(schema, kind),
        ]
    )


def _shared(name: str) -> str:
    schema = definition(name)
    parts = [f'<a id="{name}"></a>\n\n## {name.replace("_", " ")}', _sentence(schema)]
    if "x-choice" in schema and name in CHOICES:
        parts += [_choice(name)]
    elif schema.get("properties"):
        parts += [_keys(schema, name)]
    elif (value := value_of(schema)) not in ("text", "mapping"):
        parts += [f"Value: {value}."]
        rows = [row for branch in schema.get("anyOf", [schema]) for row in rows_of(_inner(branch))]
        parts += [table(["key", "value", "meaning"], [row.cells for row in rows])] if rows else []
    if "examples" in schema:
        parts += ["For example " + ", ".join(code(example) for example in schema["examples"]) + "."]
    return "\n\n".join(part for part in parts if part)


def _inner(schema: Schema) -> Schema:
    """The mapping that stands in a list, or `schema` itself; nothing for one with a section of its own."""
    if "$ref" in schema:
        return {}
    items = schema.get("items", schema)
    return {} if "$ref" in items else items


def _choice(name: str) -> str:
    """The forms of a choice one below the other, each with the keys it takes."""
    parts = []
    for word in words_of(name):
        not_yet = " *Does not work yet.*" if word in CHOICES[name] else ""
        if name == "step":
            link = "" if not_yet else f", see [its page](steps.md#{word})"
            parts.append(f"- {code(word)}{link}.{not_yet}" if not_yet or link else "")
            continue
        schema = next(resolve(one) for one in definition(name)["anyOf"] if resolve(one)["x-key"] == word)
        keys = _keys(schema, f"{name}_{word}") if not not_yet else ""
        parts.append(
            f'<a id="{name}_{word}"></a>\n\n### {name}: {word}\n\n{_sentence(schema)}{not_yet}\n\n{keys}'.strip()
        )
    return ("\n" if name == "step" else "\n\n").join(parts)


def _keys(schema: Schema, name: str) -> str:
    rows = rows_of(schema, not_yet=KEYS.get(name, frozenset()))
    return table(["key", "value", "meaning"], [row.cells for row in rows])


def _sentence(schema: Schema) -> str:
    return sentence(str(schema.get("description", "")))


def _is_branch(name: str) -> bool:
    return any(name == f"{choice}_{word}" for choice in CHOICES for word in words_of(choice))
