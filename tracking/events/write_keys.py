"""The keys with which pages (public) and servers (secret) post events, and with which customers are looked up (read).

Only a keyed hash of each is kept. A key that writes reads nothing, and one that reads writes nothing. A rotated key
stays good for a while beside its successor, which bears its name.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, or_, select, update

from core.errors import ConflictError, InputError, NotFoundError
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
    READ_PERSONAL = "personal"  # reads, and follows events with what is personal in them


_READING = frozenset({WriteKeyKind.READ, WriteKeyKind.READ_PERSONAL})


@dataclass(frozen=True, slots=True)
class WriteKey:
    """Who posts: `name` is the source that their events bear; `events_per_second` None is the setting's limit."""

    name: str
    kind: WriteKeyKind
    events_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as it is listed: the key itself is not known any more. `revoked_at` may lie in the future."""

    name: str
    kind: WriteKeyKind
    created_at: datetime
    revoked_at: datetime | None
    events_per_second: int | None


def create_write_key(
    connection: Connection, vault: Vault, *, kind: str, name: str, now: datetime, events_per_second: int | None = None
) -> str:
    """A new key, which is shown this once. Raises InputError for an unfit name, ConflictError for one in use."""
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable() or ":" in name or name in _RESERVED:
        raise InputError(f"{name!r} cannot name a write key: write a short word such as web or backend.")
    if connection.execute(_current(name)).first() is not None:
        raise ConflictError(f"there is a write key named {name!r} already: choose another name, or rotate it.")
    return _create(connection, vault, WriteKey(name, WriteKeyKind(kind), events_per_second), now)


def rotate_write_key(connection: Connection, vault: Vault, name: str, *, now: datetime, until: datetime) -> str:
    """A new key of the same name; the present one is good until `until`. Raises NotFoundError where there is none."""
    row = _get_current(connection, name)
    connection.execute(update(write_key).where(write_key.c.lookup == row.lookup).values(revoked_at=max(now, until)))
    return _create(connection, vault, WriteKey(name, WriteKeyKind(row.kind), row.events_per_second), now)


def revoke_write_key(connection: Connection, name: str, now: datetime) -> int:
    """End every key of this name at once; answers how many those were. Raises NotFoundError where none is good."""
    ended = update(write_key).where(write_key.c.name == name, _is_good(now)).values(revoked_at=now)
    count = connection.execute(ended).rowcount
    if not count:
        raise NotFoundError(f"no key named {name!r} is in use: see `postilion write-key list`.")
    return count


def list_write_keys(connection: Connection) -> list[ListedKey]:
    """All keys that ever were, by name and then by age."""
    c = write_key.c
    rows = connection.execute(
        select(c.name, c.kind, c.created_at, c.revoked_at, c.events_per_second).order_by(c.name, c.created_at)
    )
    return [ListedKey(row.name, WriteKeyKind(row.kind), *row[2:]) for row in rows]


def find_write_key(connection: Connection, vault: Vault, key: str, now: datetime) -> WriteKey | None:
    """The key to post with that was handed over, None when it is unknown or revoked.

    A rotated workspace key changes nothing.
    """
    found = _find(connection, vault, key, now)
    return found if found is not None and found.kind not in _READING else None


def find_read_key(connection: Connection, vault: Vault, key: str, now: datetime) -> WriteKey | None:
    """The key to look customers up with that was handed over, None when it is none of these."""
    found = _find(connection, vault, key, now)
    return found if found is not None and found.kind in _READING else None


def find_kind(connection: Connection, name: str) -> WriteKeyKind | None:
    """The kind of the newest key of this name, good or not."""
    query = select(write_key.c.kind).where(write_key.c.name == name).order_by(write_key.c.created_at.desc()).limit(1)
    kind = connection.execute(query).scalar_one_or_none()
    return WriteKeyKind(kind) if kind is not None else None


def _create(connection: Connection, vault: Vault, new: WriteKey, now: datetime) -> str:
    key = f"{new.kind}_{secrets.token_urlsafe(24)}"
    row = {
        "lookup": _lookup(vault, key, vault.key_version),
        "kind": new.kind,
        "name": new.name,
        "created_at": now,
        "events_per_second": new.events_per_second,
    }
    connection.execute(insert(write_key).values(**row))
    return key


def _get_current(connection: Connection, name: str) -> Any:
    row = connection.execute(_current(name)).first()
    if row is None:
        raise NotFoundError(f"no key named {name!r} is in use: see `postilion write-key list`.")
    return row


def _current(name: str) -> Select[Any]:
    """The key of this name that has no end yet: there is one at most."""
    c = write_key.c
    return select(c.lookup, c.kind, c.events_per_second).where(c.name == name, c.revoked_at.is_(None)).limit(1)


def _is_good(now: datetime) -> ColumnElement[bool]:
    return or_(write_key.c.revoked_at.is_(None), write_key.c.revoked_at > now)


def _find(connection: Connection, vault: Vault, key: str, now: datetime) -> WriteKey | None:
    lookups = [_lookup(vault, key, version) for version in range(vault.key_version, 0, -1)]
    query = select(write_key.c.name, write_key.c.kind, write_key.c.events_per_second).where(
        write_key.c.lookup.in_(lookups), _is_good(now)
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return WriteKey(row.name, WriteKeyKind(row.kind), row.events_per_second) if row is not None else None


def _lookup(vault: Vault, key: str, version: int) -> str:
    digest = hmac.new(vault.signing_key(_PURPOSE, version), key.encode("utf-8", "replace"), hashlib.sha256)
    return f"{version:x}.{digest.hexdigest()[:_HASH_DIGITS]}"
