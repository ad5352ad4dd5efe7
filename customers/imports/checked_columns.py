"""A mapping held against the columns that a file really has, before its first row is read."""

from __future__ import annotations

from collections import Counter

from core.errors import ConfigError, InputError
from core.suggest import did_you_mean
from customers.imports.fields import FIELDS
from customers.imports.mapping import Mapping
from customers.imports.sources import Origin, Source
from customers.workspace import Workspace


def check_columns(mapping: Mapping, source: Source, file: Origin) -> None:
    """Every mapped column must stand in the file; the fault points at the mapping."""
    if source.columns is None:
        return
    if any("@" in name for name in source.columns):
        raise InputError(
            f"{file.name}: its first line holds data: write a line with the names of the columns above it."
        )
    doubled = [name for name, times in Counter(source.columns).items() if times > 1 and name in mapping.column_names()]
    if doubled:
        raise InputError(f"{file.name} has two columns named '{doubled[0]}': rename one of them.")
    places: dict[str | None, tuple[str, ...]] = {}
    if mapping.returns is not None:
        places[mapping.returns.column] = ("returns", "column")
    for name, spec in mapping.columns.items():
        is_long = mapping.located is not None and isinstance(mapping.located.data["columns"][name], dict)
        places[spec.column] = ("columns", name, "column") if is_long else ("columns", name)
    faults = []
    for name in mapping.column_names():
        if name in source.columns:
            continue
        message = f"{file.name} has no column '{name}'"
        hint = did_you_mean(name, source.columns) or "it has " + ", ".join(source.columns[:20])
        if mapping.located is None:
            raise InputError(f"{message}, {hint}")
        faults.append(mapping.located.fault("E120", places[name], message, hint))
    if faults:
        raise ConfigError(faults)


def personal_places(mapping: Mapping, workspace: Workspace) -> frozenset[int]:
    """The places of cells with personal data: addresses, and attributes that are personal or not declared."""
    fields = FIELDS[mapping.kind]
    columns = mapping.column_names()
    places = set()
    for name, column in mapping.columns.items():
        spec = workspace.attributes.get(name)
        is_plain = name in fields.known - fields.personal or name.startswith("consent.")
        if column.column is not None and not is_plain and (spec is None or spec.is_personal):
            places.add(columns.index(column.column))
    return frozenset(places)
