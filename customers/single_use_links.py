"""Links that serve once: whoever holds one within half an hour may have what it stands for, and nobody after that.

The token is 128 random bits and stands in the link alone; the database has a keyed hash of it. Opening a link uses
nothing up, because programs open the links of every mail; only the button behind it does.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from core.vault import Vault
from customers.rights_tables import single_use_link

LIFETIME = timedelta(minutes=30)
PATH = "/x/"

_PURPOSE = "link:rights"
_TOKEN_BYTES = 16


class LinkKind(StrEnum):
    EXPORT = "export"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for."""

    kind: LinkKind
    profile_id: int
    request_id: int | None


def create_link(
    connection: Connection, vault: Vault, kind: LinkKind, profile_id: int, request_id: int | None, now: datetime
) -> str:
    """A token that is good until `now` + 30 minutes, or until it is used."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    values = {
        "lookup": _lookup(vault, token, vault.key_version),
        "kind": kind.value,
        "profile_id": profile_id,
        "request_id": request_id,
        "expires_at": now + LIFETIME,
    }
    connection.execute(insert(single_use_link).values(**values))
    return token


def count_links(connection: Connection, profile_id: int, since: datetime) -> int:
    """How many links were made for a profile after `since`."""
    link = single_use_link.c
    query = select(func.count()).where(link.profile_id == profile_id, link.expires_at > since + LIFETIME)
    return connection.execute(query).scalar_one()


def find_link(connection: Connection, vault: Vault, token: str, now: datetime) -> Link | None:
    """What `token` is good for at `now`, without using it up; None when it is unknown, used or too old."""
    row = connection.execute(select(single_use_link).where(_is_good(vault, token, now))).one_or_none()
    return None if row is None else _link(row)


def use_link(connection: Connection, vault: Vault, token: str, now: datetime) -> Link | None:
    """`find_link`, and use it up: of two who come at the same moment one gets it."""
    statement = update(single_use_link).where(_is_good(vault, token, now)).values(used_at=now)
    row = connection.execute(statement.returning(*single_use_link.c)).one_or_none()
    return None if row is None else _link(row)


def _is_good(vault: Vault, token: str, now: datetime) -> ColumnElement[bool]:
    lookups = [_lookup(vault, token, version) for version in range(vault.key_version, 0, -1)]
    link = single_use_link.c
    return link.lookup.in_(lookups) & link.used_at.is_(None) & (link.expires_at > now)


def _lookup(vault: Vault, token: str, version: int) -> str:
    return hmac.new(vault.signing_key(_PURPOSE, version), token.encode(), hashlib.sha256).hexdigest()


def _link(row: Any) -> Link:
    return Link(LinkKind(row.kind), row.profile_id, row.request_id)
