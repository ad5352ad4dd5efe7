"""Finding a person by whatever somebody types: an external id, an e-mail address or a phone number."""

from __future__ import annotations

from sqlalchemy import Connection

from core.errors import InputError, NotFoundError
from core.vault import Vault
from customers.profiles import find_profile
from customers.tables import IdentityKind
from customers.workspace import Workspace


def get_profile_id(connection: Connection, vault: Vault, workspace: Workspace, typed: str) -> int:
    """The profile behind `typed`; the external id goes first, because an id may look like anything."""
    kinds = [IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL if "@" in typed else IdentityKind.PHONE]
    for kind in kinds:
        try:
            found = find_profile(connection, vault, kind.value, typed, workspace.country)
        except InputError:
            continue  # not of that kind
        if found is not None:
            return found
    raise NotFoundError("nobody is known by that external id, address or number: check its spelling.")
