"""The rows about a person as that person may read them: opened, in plain kinds of value, without our machinery.

Streams: a table is read a thousand rows at a time, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, Row, Table, func, select

from console.rights.owned import key_of, rows_of
from core.errors import NotFoundError, PermanentError
from core.personal import Personal
from core.vault import Vault
from customers.tables import identity
from delivery.feedback import open_document
from delivery.tables import delivery_event
from migrations.tables import metadata
from recommender.tables import offer_code

# What only our programs read: places in queues, keyed hashes, numbers that links are made of.
MACHINERY = frozenset(
    {
        "transaction_no",
        "lookup",
        "origin_profile_id",
        "token_id",
        "handle",
        "claimed_by",
        "claimed_at",
        "lease_until",
        "journal_seq",
        "batch_id",
    }
)
_AT_ONCE = 1_000

Record = dict[str, Any]


def read_records(
    connection: Connection, vault: Vault, table: Table, personal: Personal, profile_ids: Sequence[int]
) -> Iterator[Record]:
    """The rows of one table, oldest first: what was sealed is opened and stands under a plain name.

    What does not open (because its day's key is gone, say) is left out.
    """
    owner = _owner_column(table, personal)
    query = select(table) if owner is None else select(table, owner.label("_owner"))
    if personal.parent is not None and owner is not None:
        parent = metadata.tables[personal.parent]
        query = query.join(parent, table.c[personal.by] == key_of(parent))
    query = query.where(rows_of(table, personal, profile_ids)).order_by(*table.primary_key.columns)
    for row in connection.execute(query, execution_options={"yield_per": _AT_ONCE}):
        yield _record(connection, vault, table, personal, row)


def _owner_column(table: Table, personal: Personal) -> Any:
    """Whose key seals the row: its first owner's, or its parent's."""
    if not personal.sealed:
        return None
    source = table if personal.parent is None else metadata.tables[personal.parent]
    by = source.c[personal.by] if personal.parent is None else source.c["profile_id"]
    return func.coalesce(source.c["origin_profile_id"], by) if "origin_profile_id" in source.c else by


def _record(connection: Connection, vault: Vault, table: Table, personal: Personal, row: Row[Any]) -> Record:
    record: Record = {}
    sealed: Record = {}
    for column in table.columns:
        value = row._mapping[column]
        if isinstance(column.type, LargeBinary):
            if value is not None and column.name in personal.sealed:
                sealed[column.name] = _open(connection, vault, table, personal, row, column.name)
        elif column.name not in MACHINERY:
            record[str(column.name)] = _plain(value)
    if table is identity and row.sealed is None:
        record["value"] = row.lookup
    for name, value in sealed.items():
        if value is not None:
            _put(record, "value" if name == "sealed" else name.removeprefix("sealed_"), value)
    return record


def _open(connection: Connection, vault: Vault, table: Table, personal: Personal, row: Row[Any], column: str) -> Any:
    try:
        if table is delivery_event:
            return _decoded(open_document(connection, vault, row.id))
        name = personal.sealed[column].format_map(row._mapping)
        if table is offer_code:
            return vault.open_for_workspace(name, row._mapping[table.c[column]])
        return _decoded(vault.open(row._owner, name, row._mapping[table.c[column]]))
    except (NotFoundError, PermanentError):
        return None


def _decoded(text: str | None) -> Any:
    """The document that `text` is, or `text` itself."""
    if text is None or not text.startswith(("{", "[")):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _put(record: Record, name: str, value: Any) -> None:
    """A sealed document beside a plain one of the same name are two halves of one."""
    plain = record.get(name)
    record[name] = {**plain, **value} if isinstance(plain, dict) and isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
