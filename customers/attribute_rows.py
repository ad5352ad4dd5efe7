"""Attributes as rows: plain ones in the profile's document, personal ones in its sealed document and their index.

Values come checked (see `profiles.check_attributes`). Only what differs from what stands is written, and whoever asked
is told what stood there before, because an import must be able to take it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from core.bulk import among, insert_fresh, insert_rows
from core.database import batches, insert_ignore
from core.vault import Vault
from customers.attributes import attribute_lookup
from customers.tables import ImportChangeKind, ProfileStatus, import_change, profile, sealed_attribute
from customers.touches import touch
from customers.workspace import AttributeSpec, ValueKind, Workspace

COLUMN_ATTRIBUTES = frozenset({"timezone", "country", "locale"})  # kept in columns of their own
SEALED_COLUMN = "profile.sealed_attributes"
UNDECLARED = AttributeSpec(ValueKind.TEXT, is_personal=True)

_BATCH = 5_000
_COLUMNS = sorted(COLUMN_ATTRIBUTES)
_WRITTEN = (*_COLUMNS, "attributes", "sealed_attributes", "birth_month", "birth_day")
_WRITABLE = (ProfileStatus.ACTIVE.value, ProfileStatus.RESTRICTED.value)  # what is restricted may still be put right
_READ = ("id", "status", "batch_id", "attributes", "sealed_attributes", *_COLUMNS)
_INDEXED = ("profile_id", "name", "lookup")
_encode = msgspec.json.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class Changed:
    """The attributes of one profile that changed, before and after; None is none.

    `made_by` is the import that made the profile.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    made_by: int | None


@dataclass(frozen=True, slots=True)
class _Change:
    """A row of `profile` as it shall be, the sealed attributes that came, changed or went, and what changed."""

    columns: Mapping[str, Any]
    sealed: Mapping[str, Any]
    changed: Changed


def is_personal(workspace: Workspace, name: str) -> bool:
    return workspace.attributes.get(name, UNDECLARED).is_personal


def index_start(connection: Connection, rows: Sequence[tuple[int, str, str]]) -> None:
    """Make the sealed attributes findable that profiles started with: (profile, attribute, lookup)."""
    insert_fresh(connection, sealed_attribute, _INDEXED, rows)


def _index_attributes(connection: Connection, rows: Sequence[tuple[int, str, str]]) -> None:
    renewed = "(profile_id, name) DO UPDATE SET lookup = excluded.lookup"
    insert_rows(connection, sealed_attribute, _INDEXED, rows, on_conflict=renewed)


def write_attributes(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    values_by_profile: Mapping[int, Mapping[str, Any]],
    now: datetime,
    *,
    batch_id: int | None = None,
) -> dict[int, Changed]:
    """Set attributes of many profiles, None taking one away; answers what changed.

    Merged and erased profiles are left alone. `batch_id` is the import that speaks, None for anybody else.
    """
    changed: dict[int, Changed] = {}
    query = select(*(profile.c[name] for name in _READ))
    for some in batches(list(values_by_profile), _BATCH):
        rows = connection.execute(
            query.where(among(connection, profile.c.id, some), profile.c.status.in_(_WRITABLE))
        ).all()
        vault.prepare(row.id for row in rows if row.sealed_attributes is not None)
        changes: dict[int, _Change] = {}
        for row in rows:
            change = _change(vault, workspace, row, values_by_profile[row.id])
            if change is not None:
                changes[row.id] = change
        _write(connection, vault, changes, now)
        _note_changed_since(connection, changes, batch_id)
        changed.update((number, change.changed) for number, change in changes.items())
    return changed


def read_attributes(connection: Connection, vault: Vault, profile_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """All attributes of those of `profile_ids` that may be written to; what is not there is missing."""
    found: dict[int, dict[str, Any]] = {}
    query = select(*(profile.c[name] for name in _READ)).where(profile.c.status.in_(_WRITABLE))
    for some in batches(profile_ids, _BATCH):
        rows = connection.execute(query.where(among(connection, profile.c.id, some))).all()
        vault.fetch(row.id for row in rows if row.sealed_attributes is not None)
        for row in rows:
            columns = {name: value for name in _COLUMNS if (value := getattr(row, name)) is not None}
            found[row.id] = columns | row.attributes | vault.open_document(row.id, SEALED_COLUMN, row.sealed_attributes)
    return found


def _change(vault: Vault, workspace: Workspace, row: Any, values: Mapping[str, Any]) -> _Change | None:
    """What `values` change about the profile `row`, None when they change nothing."""
    columns = {name: getattr(row, name) for name in _COLUMNS}
    plain: dict[str, Any] = row.attributes
    personal: dict[str, Any] = vault.open_document(row.id, SEALED_COLUMN, row.sealed_attributes)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    sealed: dict[str, Any] = {}
    for name, value in values.items():
        target = columns if name in COLUMN_ATTRIBUTES else personal if is_personal(workspace, name) else plain
        if target.get(name) == value:
            continue
        before[name], after[name] = target.get(name), value
        if target is personal:
            sealed[name] = value
        if value is None and target is not columns:
            del target[name]
        else:
            target[name] = value
    if not after:
        return None
    born = _born(plain.get("birthday") or personal.get("birthday"))
    written: dict[str, Any] = {
        **columns,
        "attributes": plain,
        "sealed_attributes": row.sealed_attributes,
        "birth_month": born.month if born else None,
        "birth_day": born.day if born else None,
    }
    if sealed:
        written["sealed_attributes"] = personal or None
    return _Change(written, sealed, Changed(before, after, row.batch_id))


def _write(connection: Connection, vault: Vault, changes: Mapping[int, _Change], now: datetime) -> None:
    if not changes:
        return
    vault.prepare(number for number, change in changes.items() if change.sealed)
    rows = []
    for number, change in changes.items():
        row = {"profile_id": number} | {f"new_{name}": change.columns[name] for name in _WRITTEN}
        if change.sealed and row["new_sealed_attributes"] is not None:
            row["new_sealed_attributes"] = vault.seal_document(number, SEALED_COLUMN, row["new_sealed_attributes"])
        rows.append(row)
    statement = update(profile).where(profile.c.id == bindparam("profile_id"))
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _WRITTEN}
    connection.execute(statement.values(values | {"updated_at": now}), rows)
    indexed, gone = [], []
    for number, change in changes.items():
        for name, value in change.sealed.items():
            if value is None:
                gone.append({"owner": number, "attribute": name})
            else:
                indexed.append((number, name, attribute_lookup(vault, name, value)))
    _index_attributes(connection, indexed)
    touch(connection, changes)
    if gone:
        attribute = sealed_attribute.c
        where = (attribute.profile_id == bindparam("owner")) & (attribute.name == bindparam("attribute"))
        connection.execute(delete(sealed_attribute).where(where), gone)


def _note_changed_since(connection: Connection, changes: Mapping[int, _Change], batch_id: int | None) -> None:
    """Remember what others changed about profiles that an import made: its undoing leaves that alone."""
    rows = [
        {
            "batch_id": change.changed.made_by,
            "kind": ImportChangeKind.CHANGED_SINCE,
            "ref": f"{number}:{name}",
            "profile_id": number,
        }
        for number, change in changes.items()
        if change.changed.made_by not in (None, batch_id)
        for name in change.changed.after
    ]
    insert_ignore(connection, import_change, rows)


def _born(birthday: str | None) -> date | None:
    return date.fromisoformat(birthday) if birthday else None
