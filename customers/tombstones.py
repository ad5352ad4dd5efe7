"""Marks of identifiers whose owner was erased: they make nobody, until a fresh opt-in lifts the mark.

A mark is a keyed hash under a key of its own, so that it neither leads to the erased profile nor to its consents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from core.database import batches, upsert
from core.vault import Vault
from customers.rights_tables import tombstone
from customers.tables import IdentityKind

_LOOKUP_BATCH = 5_000
_STANDING = select(tombstone.c.lookup).where(tombstone.c.lifted_at.is_(None))

Identifier = tuple[IdentityKind, str]  # kind and normalised value


def is_anybody_buried(connection: Connection) -> bool:
    """Whether any mark stands; where none does, nobody needs to be looked for."""
    return connection.execute(_STANDING.limit(1)).first() is not None


def find_buried(connection: Connection, vault: Vault, identifiers: Collection[Identifier]) -> frozenset[Identifier]:
    """Those of `identifiers` that belonged to somebody who was erased, and were not lifted since."""
    if not identifiers or not is_anybody_buried(connection):
        return frozenset()
    by_mark = {mark: one for one in identifiers for mark in vault.tombstones(*one)}
    found: set[Identifier] = set()
    for some in batches(list(by_mark), _LOOKUP_BATCH):
        marks = connection.execute(_STANDING.where(tombstone.c.lookup.in_(some))).scalars()
        found.update(by_mark[mark] for mark in marks)
    return frozenset(found)


def bury(connection: Connection, marks: Mapping[str, str], now: datetime) -> None:
    """Set the tombstones `marks` (mark: kind of identifier); one that was lifted stands again."""
    rows = [{"lookup": mark, "kind": kind, "erased_at": now, "lifted_at": None} for mark, kind in marks.items()]
    upsert(connection, tombstone, rows, key=["lookup"], update=["erased_at", "lifted_at"])


def lift(connection: Connection, vault: Vault, kind: IdentityKind, normalised: str, now: datetime) -> bool:
    """Let the identifier make a person again, because its owner came back of their own will."""
    standing = tombstone.c.lifted_at.is_(None) & tombstone.c.lookup.in_(vault.tombstones(kind, normalised))
    return connection.execute(update(tombstone).where(standing).values(lifted_at=now)).rowcount > 0
