"""What a customer of a file would start with as a new profile, made ready while the batch before is written.

A draft lacks nothing but the profile's number and the seal under its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from core.vault import Vault
from customers.attribute_rows import COLUMN_ATTRIBUTES, SEALED_COLUMN, is_personal
from customers.attributes import canonical
from customers.identity_rows import ProfileStart
from customers.imports.job import Job
from customers.imports.values import Memo

_encode = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(slots=True)  # not frozen: it is made by the hundred thousand, and freezing doubles its price
class Draft:
    """`start` without its sealed attributes, the JSON of these, and their blind indexes by name."""

    start: ProfileStart
    personal: str | None
    index: list[tuple[str, str]]


class Drafter:
    """Makes the drafts of one job; remembers the blind indexes of values that come again and again."""

    def __init__(self, job: Job) -> None:
        self._lookups = {
            name: Memo(job.vault.indexer(f"attribute:{name}"))
            for name in job.mapping.columns
            if name not in COLUMN_ATTRIBUTES and is_personal(job.workspace, name)
        }

    def draft(self, values: Mapping[str, Any]) -> Draft:
        lookups = self._lookups
        plain, personal, index = {}, {}, []
        for name, value in values.items():
            if (memo := lookups.get(name)) is not None:
                personal[name] = value
                index.append((name, memo[value if type(value) is str and value.isascii() else canonical(value)]))
            elif name not in COLUMN_ATTRIBUTES:
                plain[name] = value
        birthday = values.get("birthday")
        born = date.fromisoformat(birthday) if birthday else None
        start = ProfileStart(
            values.get("timezone"),
            values.get("country"),
            values.get("locale"),
            born.month if born else None,
            born.day if born else None,
            _encode(plain).decode(),
        )
        return Draft(start, _encode(personal).decode() if personal else None, index)


def start_of(vault: Vault, profile_id: int, draft: Draft) -> ProfileStart:
    """The draft, sealed for the profile that it has become."""
    if draft.personal is not None:
        draft.start.sealed_attributes = vault.seal(profile_id, SEALED_COLUMN, draft.personal)
    return draft.start
