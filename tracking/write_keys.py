"""The keys with which pages (public) and servers (secret) post events, and with which customers are looked up (read).

Only a keyed hash of each is kept. A key that writes reads nothing, and one that reads writes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from core.errors import ConflictError, InputError
from core.vault import Vault
from customers.own_events import OWN_EVENTS
from customers.tables import write_key

_MAX_NAME = 50
_PURPOSE = "write-key"
_HASH_DIGITS = 40
_RESERVED = frozenset({*OWN_EVENTS, "order"})  # they begin the keys of events of our own


class WriteKeyKind(StrEnum):
    PUBLIC = "public"
    SECRET = "secret"
    READ = "read"


@dataclass(frozen=True, slots=True)
class WriteKey:
    """Who posts: `name` is the source that their events bear."""

    name: str
    kind: WriteKeyKind


def create_write_key(connection: Connection, vault: Vault, *, kind: str, name: str, now: datetime) -> str:
    """A new key, which is shown this once. Raises InputError for an unfit name, ConflictError for one in use."""
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable() or ":" in name or name in _RESERVED:
        raise InputError(f"{name!r} cannot name a write key: write a short word such as web or backend.")
    in_use = select(write_key.c.name).where(write_key.c.name == name, write_key.c.revoked_at.is_(None))
    if connection.execute(in_use.limit(1)).one_or_none() is not None:
        raise ConflictError(f"there is a write key named {name!r} already: choose another name.")
    key = f"{WriteKeyKind(kind)}_{secrets.token_urlsafe(24)}"
    row = {"lookup": _lookup(vault, key, vault.key_version), "kind": kind, "name": name, "created_at": now}
    connection.execute(insert(write_key).values(**row))
    return key


def find_write_key(connection: Connection, vault: Vault, key: str) -> WriteKey | None:
    """The key to post with that was handed over, None when it is unknown or revoked.

    A rotated workspace key changes nothing.
    """
    found = _find(connection, vault, key)
    return found if found is not None and found.kind is not WriteKeyKind.READ else None


def find_read_key(connection: Connection, vault: Vault, key: str) -> WriteKey | None:
    """The key to look customers up with that was handed over, None when it is none of these."""
    found = _find(connection, vault, key)
    return found if found is not None and found.kind is WriteKeyKind.READ else None


def _find(connection: Connection, vault: Vault, key: str) -> WriteKey | None:
    lookups = [_lookup(vault, key, version) for version in range(vault.key_version, 0, -1)]
    query = select(write_key.c.name, write_key.c.kind).where(
        write_key.c.lookup.in_(lookups), write_key.c.revoked_at.is_(None)
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return WriteKey(row.name, WriteKeyKind(row.kind)) if row is not None else None


def _lookup(vault: Vault, key: str, version: int) -> str:
    digest = hmac.new(vault.signing_key(_PURPOSE, version), key.encode("utf-8", "replace"), hashlib.sha256)
    return f"{version:x}.{digest.hexdigest()[:_HASH_DIGITS]}"
