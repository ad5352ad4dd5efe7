"""Putting another address in the place of a wrong one.

Consent binds an address: what was agreed to for the old one says nothing about the new one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from core.database import insert_ignore
from core.errors import ConflictError
from core.vault import Vault
from customers.identities import lock_people, lookup_of
from customers.merges import derive_addresses
from customers.tables import IdentityKind, identity
from customers.tombstones import find_buried


def replace_address(
    connection: Connection, vault: Vault, profile_id: int, kind: IdentityKind, normalised: str, now: datetime
) -> bool:
    """Make `normalised` the one address of its kind that a profile has; answers whether anything changed.

    Raises ConflictError for an address whose owner was erased and has not come back.
    """
    lock_people(connection)
    if find_buried(connection, vault, [(kind, normalised)]):
        raise ConflictError("the owner of that address was erased: see `postilion privacy readmit --help`.")
    lookup = lookup_of(vault, kind, normalised)
    mine = (identity.c.profile_id == profile_id) & (identity.c.kind == kind.value)
    standing = set(connection.scalars(select(identity.c.lookup).where(mine)))
    if standing == {lookup}:
        return False
    connection.execute(delete(identity).where(mine, identity.c.lookup != lookup))
    row = {
        "profile_id": profile_id,
        "kind": kind.value,
        "lookup": lookup,
        "sealed": vault.seal(profile_id, f"identity.{kind}", normalised),
        "created_at": now,
    }
    insert_ignore(connection, identity, [row])
    derive_addresses(connection, vault, profile_id, now)
    return True
