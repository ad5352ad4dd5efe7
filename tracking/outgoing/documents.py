"""An entry of the customer log as other systems read it, the same for those that ask and those that are called.

Given are the properties that are plain; the sealed ones only to whom the right was given, and of nobody who was erased
or whose data is restricted: their events come without a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, select

from core.clock import to_micros
from core.errors import NotFoundError
from core.ids import derived_id
from core.vault import Vault
from customers.log import logged_event, open_properties
from customers.tables import ProfileStatus, customer_event, profile

SCHEMA: Final = 1  # goes up when a reader of the old form could misread the new one

_NOT_TOLD: Final = (ProfileStatus.ERASED.value, ProfileStatus.RESTRICTED.value)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events, by name (None is all), and whether with what is personal."""

    names: frozenset[str] | None = None
    is_personal: bool = False

    @property
    def where(self) -> list[ColumnElement[bool]]:
        return [] if self.names is None else [customer_event.c.name.in_(sorted(self.names))]


def event_documents(
    connection: Connection, vault: Vault, rows: Sequence[Row[Any]], wanted: Wanted
) -> list[dict[str, Any]]:
    """The documents of `rows` of `customer_event`, as `core.cursors.read_after` gives them."""
    hidden = _hidden(connection, {row.profile_id for row in rows if row.profile_id is not None})
    told = [row for row in rows if row.profile_id is not None and row.profile_id not in hidden]
    if wanted.is_personal:
        vault.fetch({row.origin_profile_id or row.profile_id for row in told if row.sealed_properties is not None})
    return [_document(vault, row, wanted, has_person=row.profile_id not in hidden) for row in rows]


def _document(vault: Vault, row: Row[Any], wanted: Wanted, *, has_person: bool) -> dict[str, Any]:
    profile_id = row.profile_id if has_person else None
    document = {
        # A row that is written after a restore may get a number that was given before; never at the same instant.
        "id": derived_id("event", row._row_id, to_micros(row.received_at)),
        "schema": SCHEMA,
        "name": row.name,
        "occurred_at": row.occurred_at,
        "received_at": row.received_at,
        "source": row.source,
        "is_historical": row.is_historical,
        "profile": profile_id,
        "properties": row.properties,
    }
    if wanted.is_personal:
        document["personal"] = {} if profile_id is None else _opened(vault, row)
    return document


def _opened(vault: Vault, row: Row[Any]) -> dict[str, Any]:
    try:
        opened = open_properties(vault, logged_event(row))
    except NotFoundError:  # erased a moment ago
        return {}
    return {name: value for name, value in opened.items() if name not in row.properties}


def _hidden(connection: Connection, profile_ids: set[int]) -> frozenset[int]:
    """Those of whom nothing is told."""
    if not profile_ids:
        return frozenset()
    query = select(profile.c.id).where(profile.c.id.in_(sorted(profile_ids)), profile.c.status.in_(_NOT_TOLD))
    return frozenset(connection.scalars(query))
