"""What is wrong with places, anniversaries and accounts that are written well: attributes that cannot answer."""

from __future__ import annotations

from core.located import KeyPath
from core.suggest import did_you_mean
from customers.workspace import ValueKind, Workspace
from segments.compiling.attributes import ADDRESSES, COLUMNS, is_sealed
from segments.language.matcher_parser import Report
from segments.language.rules import BIRTHDAY, LATITUDE, LONGITUDE, AnniversaryRule, NearRule


def check_near(leaf: NearRule, workspace: Workspace, report: Report) -> None:
    for name in (LATITUDE, LONGITUDE):
        _check_plain(name, ValueKind.NUMBER, workspace, (*leaf.path, "near"), report)


def check_anniversary(leaf: AnniversaryRule, workspace: Workspace, report: Report) -> None:
    path = (*leaf.path, "anniversary", "attribute")
    if leaf.attribute in COLUMNS:
        report("E103", path, f"'{leaf.attribute}' is no date", _hint_of_column(leaf.attribute))
    elif leaf.attribute != BIRTHDAY or BIRTHDAY not in workspace.attributes:
        _check_plain(leaf.attribute, ValueKind.DATE, workspace, path, report)


def _hint_of_column(name: str) -> str:
    return f"write {BIRTHDAY}" if name.startswith("birth_") else "write an attribute of the kind date"


def _check_plain(name: str, kind: ValueKind, workspace: Workspace, path: KeyPath, report: Report) -> None:
    """Whether `name` is declared, of `kind` and in clear."""
    spec = workspace.attributes.get(name)
    if name in ADDRESSES or (spec is not None and is_sealed(name, workspace)):
        report("E125", path, f"'{name}' is sealed and cannot be reckoned with", "declare it without personal: true")
    elif spec is None:
        known = [other for other, found in workspace.attributes.items() if found.kind is kind]
        nearest = "" if name in (LATITUDE, LONGITUDE) else did_you_mean(name, known)
        message = f"the attribute '{name}' is not declared in workspace.yaml"
        report("W201", path, message, nearest or f"declare it with kind: {kind}")
    elif spec.kind is not kind:
        message = f"'{name}' is declared as {spec.kind}, and this asks for a {kind}"
        report("W201", path, message, f"declare it with kind: {kind}")
