"""What an export of a segment may hold: its columns, which of them say who somebody is, and its format. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.errors import InputError
from core.suggest import did_you_mean
from customers.workspace import ValueKind, Workspace
from segments.compiling.attributes import ADDRESSES, COLUMNS, is_sealed

PROFILE_ID, EXTERNAL_ID, ENTERED_AT = "profile_id", "external_id", "entered_at"
DEFAULT_COLUMNS = (PROFILE_ID, EXTERNAL_ID, ENTERED_AT)

_OWN: Mapping[str, ValueKind] = {
    PROFILE_ID: ValueKind.NUMBER,
    EXTERNAL_ID: ValueKind.TEXT,
    ENTERED_AT: ValueKind.INSTANT,
}


class ExportFormat(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """`is_sealed` values are opened for the export; nobody gets them who did not name them."""

    name: str
    kind: ValueKind
    is_sealed: bool


def columns_of(names: Sequence[str], workspace: Workspace) -> tuple[ExportColumn, ...]:
    """The columns called so, in this order. Raises InputError for a name that is not known or stands twice."""
    known = known_columns(workspace)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
            raise InputError(f"no column is called '{name}': {hint}.")
    if len(set(names)) < len(names):
        raise InputError("a column stands twice: name each once.")
    return tuple(known[name] for name in names)


def known_columns(workspace: Workspace) -> dict[str, ExportColumn]:
    """Every column by its name: our own, the addresses, and the attributes that workspace.yaml declares."""
    kinds = {**_OWN, **dict.fromkeys(ADDRESSES, ValueKind.TEXT), **COLUMNS}
    kinds |= {name: spec.kind for name, spec in workspace.attributes.items() if name not in kinds}
    return {
        name: ExportColumn(name, kind, name not in _OWN and is_sealed(name, workspace)) for name, kind in kinds.items()
    }
