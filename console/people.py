"""Finding a person by whatever somebody types: an external id, an e-mail address, a phone number, or our own number."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select

from core.errors import InputError, NotFoundError
from core.vault import Vault
from customers.profiles import find_profile
from customers.tables import IdentityKind, profile
from customers.workspace import Workspace

_OUR_NUMBER = re.compile(r"#(\d{1,18})", re.ASCII)


def get_profile_id(connection: Connection, vault: Vault, workspace: Workspace, typed: str) -> int:
    """The profile behind `typed`; the external id goes first, because an id may look like anything. "#12" is ours."""
    for kind in kinds_of(typed):
        try:
            found = find_profile(connection, vault, kind.value, typed, workspace.country)
        except InputError:
            continue  # not of that kind
        if found is not None:
            return found
    if number := _OUR_NUMBER.fullmatch(typed.strip()):
        known: int | None = connection.scalar(select(profile.c.id).where(profile.c.id == int(number[1])))
        if known is not None:
            return known
        raise NotFoundError(f"there is no profile {typed.strip()}.")
    raise NotFoundError("nobody is known by that external id, address or number: check its spelling.")


def kinds_of(typed: str) -> tuple[IdentityKind, ...]:
    """What `typed` may be, in the order in which it is tried."""
    return IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL if "@" in typed else IdentityKind.PHONE
