"""What a table holds of a person, said beside its columns: the one source for export, erasure, merging and docs.

A table says `info=personal(...)` when its rows lead to a profile and `info=IMPERSONAL` when they cannot; a test fails
for one that says neither. Nothing is executed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import MetaData, Table

_INFO = "personal"


class OnErasure(StrEnum):
    """What becomes of the rows when their profile is erased."""

    DELETE = "delete"
    CLEAR = "clear"  # they stay without what is personal, so that sums and counts remain true
    KEEP = "keep"  # nothing in them is about anybody once the data key is gone, or they are the proof of something


@dataclass(frozen=True, slots=True)
class Personal:
    """How a table's rows belong to a profile.

    `by` is the column that leads there: the profile's id, or with `parent` that table's primary key; `also_by` are
    further columns with a profile's id, for rows that are about two people. `clears` are the
    columns emptied at erasure; `sealed` maps a sealed column to the name that it was sealed under. `moves` tells that
    rows go over to the survivor of a merge, with `origin_profile_id` remembering whose they were. `about` says in a
    few words what the rows tell, for the person who asks what is kept.
    """

    about: str
    on_erasure: OnErasure
    by: str = "profile_id"
    parent: str | None = None
    clears: tuple[str, ...] = ()
    sealed: Mapping[str, str] = field(default_factory=dict)
    moves: bool = False
    also_by: tuple[str, ...] = ()


IMPERSONAL: dict[Any, Any] = {_INFO: None}


def personal(
    about: str,
    on_erasure: OnErasure,
    *,
    by: str = "profile_id",
    parent: str | None = None,
    clears: tuple[str, ...] = (),
    sealed: Mapping[str, str] | None = None,
    moves: bool = False,
    also_by: tuple[str, ...] = (),
) -> dict[Any, Any]:
    """The `info` of a table with personal data."""
    return {
        _INFO: Personal(about, on_erasure, by, parent, clears, MappingProxyType(dict(sealed or {})), moves, also_by)
    }


def find_personal(table: Table) -> Personal | None:
    """What `table` says of itself; None for one without personal data. Raises KeyError for one that says nothing."""
    found: Personal | None = table.info[_INFO]
    return found


def iter_personal(metadata: MetaData) -> Iterator[tuple[Table, Personal]]:
    """Every table with personal data, parents before their children."""
    for table in metadata.sorted_tables:
        found = find_personal(table)
        if found is not None:
            yield table, found
