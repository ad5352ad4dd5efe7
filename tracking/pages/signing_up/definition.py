"""A sign-up form as a marketer writes it: what is asked, what people agree to, and where it may be embedded.

Reads files and what was published of them; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from core.definitions import find_definition
from core.errors import Fault, has_errors
from core.located import Located
from core.schema_check import check_schema
from core.suggest import did_you_mean
from customers.workspace import ValueKind, Workspace
from delivery.tables import MessageKind

KIND: Final = "form"
EMAIL: Final = "email"

_OWN_COLUMNS: Final = frozenset({"country", "timezone", "locale"})
_TAKEN: Final = frozenset({EMAIL, "topic", "consent", "stamp"})
_UNFIT: Final = frozenset({ValueKind.INSTANT, ValueKind.LIST})


@dataclass(frozen=True, slots=True)
class FormField:
    """One question; `kind` is its attribute's."""

    attribute: str
    label: str
    kind: ValueKind = ValueKind.TEXT
    is_required: bool = False
    options: tuple[str, ...] = ()
    autocomplete: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """One version of a form. `embed` are origins; `language` is None for the workspace's."""

    slug: str
    version: int
    title: str
    topics: tuple[str, ...]
    consent_text: str
    consent_version: str
    text: str = ""
    language: str | None = None
    fields: tuple[FormField, ...] = ()
    chooses: bool = False
    double_opt_in: bool = True
    button: str | None = None
    thanks: str | None = None
    redirect: str | None = None
    embed: tuple[str, ...] = ()


def parse_form(located: Located, workspace: Workspace | None = None) -> tuple[Form | None, list[Fault]]:
    """The form in a file, and everything that is wrong with it, sorted; None when it cannot be used.

    With a workspace, attributes and topics that it does not know are faults.
    """
    faults = check_schema(located, KIND)
    if has_errors(faults):
        return None, faults
    faults += _fields_faults(located, workspace)
    if workspace is not None:
        faults += _topic_faults(located, workspace)
    return _form(located.data, 0, workspace), sorted(faults)


def find_form(connection: Connection, workspace: Workspace, slug: str) -> Form | None:
    """The published form; None when there is none."""
    published = find_definition(connection, KIND, slug)
    return None if published is None else _form(published.document, published.version, workspace)


def _form(document: Mapping[str, Any], version: int, workspace: Workspace | None) -> Form:
    consent = document["consent"]
    return Form(
        slug=document["form"],
        version=version,
        title=document["title"],
        topics=tuple(document["topics"]),
        consent_text=consent["text"],
        consent_version=str(consent["version"]),
        text=document.get("text", ""),
        language=document.get("language"),
        fields=tuple(_field(one, workspace) for one in document.get("fields") or ()),
        chooses=bool(document.get("choose")),
        double_opt_in=bool(document.get("double_opt_in", True)),
        button=document.get("button"),
        thanks=document.get("thanks"),
        redirect=document.get("redirect"),
        embed=tuple(document.get("embed") or ()),
    )


def _field(document: Mapping[str, Any], workspace: Workspace | None) -> FormField:
    name = document["attribute"]
    spec = workspace.attributes.get(name) if workspace is not None else None
    return FormField(
        name,
        document["label"],
        spec.kind if spec is not None else ValueKind.TEXT,
        bool(document.get("required")),
        tuple(document.get("options") or ()),
        document.get("autocomplete"),
    )


def _fields_faults(located: Located, workspace: Workspace | None) -> list[Fault]:
    faults = []
    seen: set[str] = set()
    for place, field in enumerate(located.data.get("fields") or ()):
        name, path = field["attribute"], ("fields", place, "attribute")
        if name in seen or name in _TAKEN:
            message = "the e-mail address is always asked" if name == EMAIL else f"'{name}' stands there already"
            faults.append(located.fault("E100", path, message, "take this one out"))
        seen.add(name)
        if workspace is None or name in _OWN_COLUMNS or name in _TAKEN:
            continue
        spec = workspace.attributes.get(name)
        if spec is None:
            hint = did_you_mean(name, workspace.attributes) or "add it under `attributes` in workspace.yaml"
            faults.append(located.fault("E120", path, f"unknown attribute '{name}'", hint))
        elif spec.kind in _UNFIT:
            hint = "ask for text, a number, a date or yes and no"
            faults.append(located.fault("E124", path, f"nobody types {spec.kind.value}s into a form", hint))
    return faults


def _topic_faults(located: Located, workspace: Workspace) -> list[Fault]:
    faults = []
    for place, slug in enumerate(located.data["topics"]):
        topic = workspace.topics.get(slug)
        if topic is None:
            hint = did_you_mean(slug, workspace.topics) or "add it under `topics` in workspace.yaml"
            faults.append(located.fault("E120", ("topics", place), f"unknown topic '{slug}'", hint))
        elif topic.kind != MessageKind.MARKETING:
            hint = "take it out: such messages need no consent"
            faults.append(located.fault("E124", ("topics", place), f"'{slug}' is no marketing topic", hint))
    return faults
