"""What people are said to be by identify calls: of each attribute the newest word holds, whenever it arrives.

Every word is kept with the instant it was said at, so that an older one that comes later changes nothing, a public key
never overrules a secret one, and what a visitor said goes with the visitor to whoever it turns out to be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.bulk import among
from core.database import batches
from core.vault import Vault
from customers.profiles import set_attributes_of_all
from customers.tables import stated_attribute
from customers.tenures import COLUMN as _COLUMN
from customers.workspace import Workspace

_BATCH = 2_000

Restated = Collection[tuple[int, str]]  # profile and attribute


@dataclass(frozen=True, slots=True)
class Statement:
    """What one call says of a profile; `visitor_id` where it named nobody but a visitor. Values are checked."""

    profile_id: int
    visitor_id: int | None
    occurred_at: datetime
    key: str
    is_claimed: bool
    values: Mapping[str, Any] = field(repr=False)


def learn_statements(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    said: Sequence[Statement],
    now: datetime,
    *,
    restated: Restated = (),
) -> None:
    """Record what was said, and set those attributes; `restated` are attributes whose statements changed hands."""
    concerned = {(one.profile_id, name) for one in said for name in one.values} | set(restated)
    if not concerned:
        return
    standing = _load(connection, {profile_id for profile_id, _ in concerned})
    own = {(row.profile_id, row.name): row for row in standing if row.visitor_id is None}
    vault.prepare({profile_id for profile_id, _ in concerned})
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    values: dict[tuple[int, str], tuple[tuple[Any, ...], Any]] = {}
    visitors: list[dict[str, Any]] = []
    for one in said:
        for name, value in one.values.items():
            place = (one.profile_id, name)
            rank = (not one.is_claimed, one.occurred_at, one.key)
            row = {
                "profile_id": one.profile_id,
                "visitor_id": one.visitor_id,
                "name": name,
                "is_claimed": one.is_claimed,
                "occurred_at": one.occurred_at,
                "key": one.key,
                "sealed": vault.seal_document(one.profile_id, _COLUMN, {"value": value}),
            }
            if one.visitor_id is not None:
                visitors.append(row)
            elif (place not in own or rank > _rank(own[place])) and (place not in rows or rank > _rank_of(rows[place])):
                rows[place] = row
            if place not in values or rank > values[place][0]:
                values[place] = (rank, value)
    _write(connection, rows, own, visitors)
    for stood in standing:
        place = (stood.profile_id, stood.name)
        if place in concerned and (place not in values or _rank(stood) > values[place][0]):
            values[place] = (_rank(stood), vault.open_document(stood.profile_id, _COLUMN, stood.sealed)["value"])
    by_profile: dict[int, dict[str, Any]] = {}
    for profile_id, name in sorted(concerned):
        by_profile.setdefault(profile_id, {})[name] = values.get((profile_id, name), (None, None))[1]
    set_attributes_of_all(connection, vault, workspace, by_profile, now)


def _load(connection: Connection, profile_ids: Collection[int]) -> list[Row[Any]]:
    rows: list[Row[Any]] = []
    for some in batches(sorted(profile_ids), _BATCH):
        rows += connection.execute(
            select(stated_attribute).where(among(connection, stated_attribute.c.profile_id, some))
        ).all()
    return rows


def _write(
    connection: Connection,
    rows: Mapping[tuple[int, str], dict[str, Any]],
    own: Mapping[tuple[int, str], Row[Any]],
    visitors: Sequence[dict[str, Any]],
) -> None:
    new = [row for place, row in rows.items() if place not in own] + list(visitors)
    if new:
        connection.execute(insert(stated_attribute), new)
    for place, row in rows.items():
        if place in own:
            connection.execute(update(stated_attribute).where(stated_attribute.c.id == own[place].id).values(**row))


def _rank(row: Row[Any]) -> tuple[Any, ...]:
    return (not row.is_claimed, row.occurred_at, row.key)


def _rank_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (not row["is_claimed"], row["occurred_at"], row["key"])
