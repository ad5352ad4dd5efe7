"""Who a call is about, and how far whoever posted it may be believed.

A secret key speaks for the shop: what it says about identity holds. A public key can be read in any browser, so it may
make new people, but it never adds an identifier to somebody who is already known, unless the call carries
`context.user_hash`, an HMAC of the user id that only the shop's server can make.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from core.errors import InputError
from core.vault import Vault
from customers.identities import Linking, lookup_of, normalise, resolve_all
from customers.tables import IdentityKind, identity
from tracking.event_mapping import read_traits
from tracking.event_spec import Call, CallKind
from tracking.write_keys import WriteKeyKind

_ADDRESS_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_HASH_PURPOSE = "user-hash"

Identifiers = Mapping[IdentityKind, str]


class Trust(StrEnum):
    """Whether a call may change the identity of somebody known."""

    FULL = "full"
    NEW_PEOPLE_ONLY = "new_people_only"


@dataclass(frozen=True, slots=True)
class Person:
    """Whom one call names; identifiers are normalised. `refused` says in words which of them were left out."""

    identifiers: Identifiers
    linking: Linking
    trust: Trust
    refused: tuple[str, ...] = ()


def user_hash(vault: Vault, user_id: str, version: int | None = None) -> str:
    """What the shop's server puts beside a user id so that its pages may identify that user: 64 hex digits."""
    return hmac.new(vault.signing_key(_HASH_PURPOSE, version), user_id.encode(), hashlib.sha256).hexdigest()


def read_person(vault: Vault, call: Call, key_kind: WriteKeyKind, region: str | None) -> Person:
    """The identifiers of a call. Raises InputError when none is left, or when an alias may not be believed."""
    stated: dict[IdentityKind, str | None] = {
        IdentityKind.EXTERNAL_ID: call.user_id,
        IdentityKind.VISITOR: call.previous_id if call.kind is CallKind.ALIAS else call.anonymous_id,
    }
    if call.kind is CallKind.IDENTIFY:
        stated |= read_traits(call.traits).addresses
    identifiers: dict[IdentityKind, str] = {}
    refused = []
    for kind, value in stated.items():
        try:
            if value is not None:
                identifiers[kind] = normalise(kind, value, region)
        except InputError as error:
            refused.append(str(error))
    if not identifiers:
        raise InputError(refused[0] if refused else "it names nobody: send a userId or an anonymousId.")
    trust = Trust.FULL if key_kind is WriteKeyKind.SECRET or _is_vouched(vault, call) else Trust.NEW_PEOPLE_ONLY
    says_who = call.kind in (CallKind.IDENTIFY, CallKind.ALIAS) and trust is Trust.FULL
    return Person(identifiers, Linking.STRONG if says_who else Linking.WEAK, trust, tuple(refused))


def resolve_people(connection: Connection, vault: Vault, people: Sequence[Person], now: datetime) -> list[int | None]:
    """The profile of each, in order, made where nobody is known."""
    doubtful = [person for person in people if person.trust is Trust.NEW_PEOPLE_ONLY]
    owners = _Owners(connection, vault, doubtful) if doubtful else None
    believed = [
        person.identifiers if owners is None or person.trust is Trust.FULL else owners.believable(person.identifiers)
        for person in people
    ]
    return resolve_all(connection, vault, believed, now, linking=[person.linking for person in people])


class _Owners:
    """Which of some identifiers belong to people who are known by name or address."""

    def __init__(self, connection: Connection, vault: Vault, people: Sequence[Person]) -> None:
        self._vault = vault
        places = {
            (kind.value, lookup_of(vault, kind, value))
            for person in people
            for kind, value in person.identifiers.items()
        }
        found = {
            (row.kind, row.lookup): row.profile_id
            for row in connection.execute(
                select(identity.c.kind, identity.c.lookup, identity.c.profile_id).where(
                    identity.c.lookup.in_(sorted({lookup for _, lookup in places}))
                )
            )
            if (row.kind, row.lookup) in places
        }
        named = set(
            connection.execute(
                select(identity.c.profile_id).where(
                    identity.c.profile_id.in_(sorted(set(found.values()))),
                    identity.c.kind != IdentityKind.VISITOR.value,
                )
            ).scalars()
        )
        self._known = {place for place, profile_id in found.items() if profile_id in named}

    def believable(self, identifiers: Identifiers) -> Identifiers:
        """What is left of `identifiers` when nobody who is known may gain or lose one.

        A known user is only named; a visitor of somebody known brings no address; a known address is nobody's claim.
        """
        known = {kind for kind, value in identifiers.items() if self._is_known(kind, value)}
        if IdentityKind.EXTERNAL_ID in known:
            return {IdentityKind.EXTERNAL_ID: identifiers[IdentityKind.EXTERNAL_ID]}
        if IdentityKind.VISITOR in known and IdentityKind.EXTERNAL_ID not in identifiers:
            return {IdentityKind.VISITOR: identifiers[IdentityKind.VISITOR]}
        dropped = {*known, IdentityKind.VISITOR} if IdentityKind.VISITOR in known else known
        return {kind: value for kind, value in identifiers.items() if kind not in dropped}

    def _is_known(self, kind: IdentityKind, value: str) -> bool:
        return (kind.value, lookup_of(self._vault, kind, value)) in self._known


def _is_vouched(vault: Vault, call: Call) -> bool:
    claimed = call.context.get("user_hash") or call.context.get("userHash")
    if not isinstance(claimed, str) or not claimed.isascii() or call.user_id is None:
        return False
    versions = range(vault.key_version, 0, -1)
    return any(hmac.compare_digest(claimed, user_hash(vault, call.user_id, version)) for version in versions)
