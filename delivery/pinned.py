"""The address that a message is bound to, whatever address its person has besides.

Who calls the API names the address that an order was placed with, and a test goes to whoever asked for it. The address
is sealed within the message's context, and its lookup is made anew, because keys rotate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.errors import NotFoundError
from core.vault import Vault
from customers.addresses import email_domain, phone_country
from customers.identities import lookup_of
from customers.profiles import Address
from customers.tables import IdentityKind
from delivery.envelope import MessageRow
from delivery.tables import OriginKind

PINNED = "to"  # its place in the context
_PINNING = frozenset({OriginKind.API.value, OriginKind.SYSTEM.value, OriginKind.TEST.value})
_CONTEXT = "message.context"


def find_pinned(vault: Vault, rows: Sequence[MessageRow]) -> dict[str, Address]:
    """Message id to address, of those `rows` that are bound to one."""
    found = {}
    for row in rows:
        if row.origin_kind in _PINNING and (address := _open(vault, row)) is not None:
            found[row.id] = address
    return found


def address_for(vault: Vault, channel: str, normalised: str) -> Address:
    """`normalised` as the address of a message over `channel`."""
    if channel == "email":
        return Address(normalised, lookup_of(vault, IdentityKind.EMAIL, normalised), email_domain(normalised))
    return Address(normalised, lookup_of(vault, IdentityKind.PHONE, normalised), phone_country(normalised) or "")


def _open(vault: Vault, row: MessageRow) -> Address | None:
    if row.context is None:
        return None
    try:
        context: Mapping[str, str] = vault.open_document(row.origin_profile_id or row.profile_id, _CONTEXT, row.context)
    except NotFoundError:  # erased
        return None
    value = context.get(PINNED)
    return address_for(vault, row.channel, value) if value else None
