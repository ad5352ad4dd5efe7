"""A mapping file as values: what kind of rows a file holds and which of its columns is which field of ours.

What the schema cannot know is checked here: fields that this kind does not have, and required ones that are missing.
Whether the columns stand in the data file is checked when that file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as Names
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.definitions import hash_document
from core.errors import ConfigError, Fault, InputError, has_errors
from core.located import Located, load_yaml
from core.schema_check import check_schema
from core.suggest import did_you_mean
from customers.imports.fields import FIELDS, ImportKind, consent_field, consent_pairs
from customers.profiles import COLUMN_ATTRIBUTES
from customers.workspace import ValueKind, Workspace


@dataclass(frozen=True, slots=True)
class Column:
    """Where a field's value comes from: a column of the file, or one value for every row.

    `format` is that of a date (strftime's words), `scale` multiplies a number.
    """

    column: str | None
    format: str | None = None
    scale: Decimal | None = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class Returns:
    column: str
    starts_with: str


@dataclass(frozen=True, slots=True)
class Synthesise:
    """Addresses of the sandbox for data without any, and the consents that they are given, as (channel, topic)."""

    email: str | None
    consents: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """`located` is the file it was read from, for faults that are found later.

    `skipped` are columns of the file that are left out on purpose, so that nobody is told of them.
    """

    kind: ImportKind
    columns: Names[str, Column]
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    timezone: str | None = None
    currency: str | None = None
    source: str = "import"
    is_historical: bool = False
    has_decimal_commas: bool = False
    skipped: tuple[str, ...] = ()
    returns: Returns | None = None
    product_codes: re.Pattern[str] | None = None
    synthesise: Synthesise | None = None
    content_hash: str = ""
    located: Located | None = field(default=None, repr=False, compare=False)

    def column_names(self) -> list[str]:
        """The columns of the file that are read, each once, in the order of the mapping."""
        names = [column.column for column in self.columns.values() if column.column is not None]
        if self.returns is not None:
            names.append(self.returns.column)
        return list(dict.fromkeys(names))

    def number_columns(self, workspace: Workspace) -> frozenset[str]:
        """The columns of the file that hold numbers."""
        known = FIELDS[self.kind].numbers
        attributes = workspace.attributes if self.kind is ImportKind.PROFILES else {}
        return frozenset(
            column.column
            for name, column in self.columns.items()
            if column.column is not None
            and (name in known or (name in attributes and attributes[name].kind is ValueKind.NUMBER))
        )


def load_mapping(file: Path, workspace: Workspace | None = None) -> Mapping:
    """The mapping in `file`. Raises ConfigError with every fault, InputError when the file is not there."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise InputError(f"the mapping {file} cannot be read: {error.strerror}.") from None
    located, faults = load_yaml(text, str(file))
    if located is None or has_errors(faults):
        raise ConfigError(faults)
    mapping, faults = parse_mapping(located, workspace)
    if mapping is None:
        raise ConfigError(faults)
    return mapping


def parse_mapping(located: Located, workspace: Workspace | None = None) -> tuple[Mapping | None, list[Fault]]:
    """The mapping and what is wrong with it; attributes are checked against `workspace` where it is given."""
    faults = check_schema(located, "mapping")
    if has_errors(faults):
        return None, faults
    faults += _field_faults(located, workspace)
    return (None if has_errors(faults) else _mapping(located)), sorted(faults)


def _mapping(located: Located) -> Mapping:
    data = located.data
    returns, codes = data.get("returns"), data.get("product_codes")
    return Mapping(
        kind=ImportKind(data["import"]),
        columns={name: _column(spec) for name, spec in data["columns"].items()},
        format=data.get("format"),
        encoding=data.get("encoding"),
        delimiter=data.get("delimiter"),
        timezone=data.get("timezone"),
        currency=data.get("currency"),
        source=data.get("source", "import"),
        is_historical=data.get("historical", False),
        has_decimal_commas=data.get("decimal") == ",",
        skipped=tuple(data.get("skip", ())),
        returns=Returns(returns["column"], returns["starts_with"]) if returns else None,
        product_codes=re.compile(codes) if codes else None,
        synthesise=_synthesise(data.get("synthesise")),
        content_hash=hash_document({key: value for key, value in data.items() if key not in ("name", "note", "skip")}),
        located=located,
    )


def _column(spec: Any) -> Column:
    if not isinstance(spec, dict):
        return Column(spec)
    scale = spec.get("scale")
    return Column(spec.get("column"), spec.get("format"), Decimal(str(scale)) if scale else None, spec.get("value"))


def _synthesise(spec: Names[str, Any] | None) -> Synthesise | None:
    if spec is None:
        return None
    pairs = (name.partition(".") for name in spec.get("consent", ()))
    return Synthesise(spec.get("email"), tuple((channel, topic) for channel, _, topic in pairs))


def _field_faults(located: Located, workspace: Workspace | None) -> Iterable[Fault]:
    kind = ImportKind(located.data["import"])
    columns = located.data["columns"]
    fields = FIELDS[kind]
    for place, name in enumerate(located.data.get("skip", ())):
        if any(name in (spec, isinstance(spec, dict) and spec.get("column")) for spec in columns.values()):
            message = f"the column '{name}' is both mapped and skipped"
            yield located.fault("E103", ("skip", place), message, "remove one of the two")
    for name, spec in columns.items():
        if isinstance(spec, dict) and ("column" in spec) == ("value" in spec):
            message = f"'{name}' needs either a column or a value"
            yield located.fault("E103", ("columns", name), message, "write one of the two")
        is_open = kind is ImportKind.PROFILES and (workspace is None or name in workspace.attributes)
        if name in fields.known or is_open or (kind is ImportKind.PROFILES and consent_field(name)):
            continue
        attributes = workspace.attributes if workspace and kind is ImportKind.PROFILES else ()
        hint = did_you_mean(name, [*fields.known, *attributes, *COLUMN_ATTRIBUTES])
        if kind is ImportKind.PROFILES and not hint:
            hint = "declare it under `attributes` in workspace.yaml"
        yield located.fault("E102", ("columns", name), f"{kind} have no field '{name}'", hint, at_key=True)
    for group in fields.required:
        if not any(name in columns for name in group):
            words = " or ".join(f"'{name}'" for name in group)
            yield located.fault("E101", ("columns",), f"{kind} need the field {words}", "name its column")
    for channel, topic in consent_pairs(columns):
        for name in (f"consent.{channel}.{topic}", f"consent.{channel}.{topic}.at"):
            if kind is ImportKind.PROFILES and name not in columns:
                message = f"consent to {channel}.{topic} needs the field '{name}'"
                yield located.fault("E101", ("columns",), message, "name its column")
    email = (located.data.get("synthesise") or {}).get("email")
    if email and "external_id" not in columns:
        message = "addresses are made from 'external_id', which is not mapped"
        yield located.fault("E101", ("synthesise", "email"), message, "map external_id")
