"""What is wrong with the attribute of a `date` trigger: E103, E125, and W201 for one that nobody declared. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import Fault
from core.suggest import did_you_mean
from customers.workspace import ValueKind
from journeys.checking.case import Case
from journeys.checking.words import iter_triggers
from segments.language.checks import DECLARE

_DATES = (ValueKind.DATE, ValueKind.INSTANT)


def dates(case: Case) -> Iterator[Fault]:
    """A date is found without being opened, so a sealed one must be a date and nothing finer."""
    workspace = case.known.workspace
    for path, written in iter_triggers(case) if workspace is not None else ():
        name = written.get("date")
        if workspace is None or name is None:
            continue
        place = (*path, "date")
        spec = workspace.attributes.get(name)
        if spec is None:
            known = [one for one, of in workspace.attributes.items() if of.kind in _DATES]
            message = f"the attribute '{name}' is not declared in workspace.yaml"
            yield case.fault("W201", place, message, did_you_mean(name, known) or DECLARE)
        elif spec.kind not in _DATES:
            yield case.fault("E103", place, f"'{name}' is declared as {spec.kind}, not as date", "name a date")
        elif spec.is_personal and spec.kind is ValueKind.INSTANT:
            message = f"'{name}' is sealed, and of a sealed instant nobody can tell the day"
            yield case.fault("E125", place, message, "declare it as `kind: date`")
