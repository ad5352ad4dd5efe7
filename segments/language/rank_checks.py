"""What is wrong with a rank that is written well: what it ranks by is sealed, undeclared, or has no order."""

from __future__ import annotations

from collections.abc import Mapping

from core.located import KeyPath
from core.suggest import did_you_mean
from customers.workspace import EventSpec, ValueKind, Workspace
from segments.compiling.attributes import ADDRESSES, COLUMNS, is_sealed
from segments.language.matcher_parser import Report
from segments.language.rules import AggregateKind, Reckoning
from segments.ranks.query import OCCURRED_AT, rankable_kind

_OF_NUMBERS = frozenset(AggregateKind) - {AggregateKind.COUNT, AggregateKind.DISTINCT}
_DECLARE = "declare it there, or correct the name"
_ENDS = frozenset({AggregateKind.FIRST, AggregateKind.LAST})


def check_ranked_attribute(name: str, workspace: Workspace, path: KeyPath, report: Report) -> None:
    known = {*COLUMNS, *ADDRESSES, *workspace.attributes}
    if name not in known:
        message = f"the attribute '{name}' is not declared in workspace.yaml"
        report("W201", path, message, did_you_mean(name, known) or _DECLARE)
    elif is_sealed(name, workspace):
        report("E125", path, f"'{name}' is sealed, and nobody can be ranked by it", "rank by an attribute in clear")
    elif rankable_kind(name, workspace) is None:
        kind = COLUMNS[name] if name in COLUMNS else workspace.attributes[name].kind
        message = f"'{name}' is declared as {kind}, and nobody is ranked by that"
        report("W201", path, message, "rank by a number, a date or an instant")


def check_ranked_property(basis: Reckoning, events: Mapping[str, EventSpec], path: KeyPath, report: Report) -> None:
    """Of events that are all declared: whether the property is, and can be reckoned with."""
    if basis.of is None or (basis.of == OCCURRED_AT and basis.kind in _ENDS):
        return
    place = (*path, basis.kind.value)
    kinds = [events[name].properties[basis.of] for name in basis.names if basis.of in events[name].properties]
    if not kinds:
        known = {key for name in basis.names for key in events[name].properties}
        message = f"'{basis.of}' is not declared for the event '{basis.names[0]}' in workspace.yaml"
        hint = did_you_mean(basis.of, known | ({OCCURRED_AT} if basis.kind in _ENDS else set()))
        report("W201", place, message, hint or _DECLARE)
    elif basis.kind in _OF_NUMBERS and ValueKind.NUMBER not in kinds:
        message = f"'{basis.of}' is declared as {kinds[0]}, and nobody is ranked by that"
        report("W201", place, message, "rank by a number")
