"""What an import changed, remembered beside what stood there before, so that it can be undone.

What an import made needs no note: it carries the number of its batch. A note about a profile is sealed under that
profile; a second change by the same import keeps the first `before` and renews `after`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from core.database import batches, insert_ignore, upsert
from core.vault import Vault
from customers.attribute_rows import Changed
from customers.tables import ImportChangeKind, import_change

SEALED_COLUMN = "import_change.before"

_BATCH = 5_000


def note_attributes(connection: Connection, vault: Vault, batch_id: int | None, changes: Mapping[int, Changed]) -> None:
    """Note which attributes of profiles the import changed, but not of those that it made; without a batch nothing."""
    if batch_id is None:
        return
    for some in batches([number for number, change in changes.items() if change.made_by != batch_id], _BATCH):
        earlier = _earlier(connection, batch_id, ImportChangeKind.ATTRIBUTES, [str(number) for number in some])
        vault.prepare(some)
        rows = []
        for number in some:
            note = {"before": dict(changes[number].before), "after": dict(changes[number].after)}
            if (known := earlier.get(str(number))) is not None:
                note = _joined(vault.open_document(number, SEALED_COLUMN, known), note)
            rows.append(
                {
                    "batch_id": batch_id,
                    "kind": ImportChangeKind.ATTRIBUTES,
                    "ref": str(number),
                    "profile_id": number,
                    "before": vault.seal_document(number, SEALED_COLUMN, note),
                }
            )
        upsert(connection, import_change, rows, key=["batch_id", "kind", "ref"], update=["before"])


def note_left(connection: Connection, batch_id: int | None, name: str, profile_ids: Sequence[int]) -> None:
    """Note people whom the import took off a list."""
    rows = [
        {"batch_id": batch_id, "kind": ImportChangeKind.LIST_LEFT, "ref": f"{number}:{name}", "profile_id": number}
        for number in profile_ids
    ]
    if batch_id is not None:
        insert_ignore(connection, import_change, rows)


def note_lines(connection: Connection, batch_id: int | None, places: Sequence[tuple[int, int]]) -> None:
    """Note lines, by order and number, that the import added to orders of others."""
    rows = [
        {"batch_id": batch_id, "kind": ImportChangeKind.ORDER_LINE, "ref": f"{order_id}:{line_no}"}
        for order_id, line_no in places
    ]
    if batch_id is not None:
        insert_ignore(connection, import_change, rows)


def note_members(
    connection: Connection, vault: Vault, batch_id: int | None, changes: Mapping[tuple[int, int], tuple[Any, Any]]
) -> None:
    """Note memberships by account and profile: [role] before, None for a new one, and [role] after."""
    if batch_id is None:
        return
    vault.prepare(profile_id for _, profile_id in changes)
    rows = []
    for (account_id, profile_id), (before, after) in changes.items():
        note = vault.seal_document(profile_id, SEALED_COLUMN, {"before": before, "after": after})
        ref = f"{account_id}:{profile_id}"
        key = {"batch_id": batch_id, "kind": ImportChangeKind.MEMBER, "ref": ref}
        rows.append({**key, "profile_id": profile_id, "before": note})
    insert_ignore(connection, import_change, rows)


def note_products(
    connection: Connection,
    batch_id: int | None,
    changes: Mapping[str, tuple[Mapping[str, Any] | None, Mapping[str, Any]]],
) -> None:
    """Note products by sku: what stood there before, None for one that is new, and what stands there now."""
    if batch_id is None:
        return
    for some in batches(sorted(changes), _BATCH):
        earlier = _earlier(connection, batch_id, ImportChangeKind.PRODUCT, some)
        rows = []
        for sku in some:
            before, after = changes[sku]
            if (known := earlier.get(sku)) is not None:
                before = msgspec.json.decode(known)["before"]
            note = msgspec.json.encode({"before": before, "after": after}, enc_hook=str)
            rows.append({"batch_id": batch_id, "kind": ImportChangeKind.PRODUCT, "ref": sku, "before": note})
        upsert(connection, import_change, rows, key=["batch_id", "kind", "ref"], update=["before"])


def _earlier(connection: Connection, batch_id: int, kind: ImportChangeKind, refs: Any) -> dict[str, bytes]:
    change = import_change.c
    query = select(change.ref, change.before).where(
        change.batch_id == batch_id, change.kind == kind.value, change.ref.in_(refs)
    )
    return dict(connection.execute(query).tuples().all())


def _joined(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    return {"before": {**then["before"], **first["before"]}, "after": {**first["after"], **then["after"]}}
