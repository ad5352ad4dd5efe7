"""Who a call is about, and how far whoever posted it may be believed.

A secret key speaks for the shop: what it says about identity holds. A public key can be read in any browser, so it may
make new people, but it never adds an identifier to somebody who is already known, unless the call carries
`context.user_hash`, an HMAC of the user id that only the shop's server can make.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from core.errors import InputError
from core.vault import Vault
from customers.identities import lock_people, normalise, resolve_all
from customers.identity_rows import write_identities
from customers.ownership import survivors_of
from customers.tables import IdentityKind
from customers.tenures import find_known, load_tenures, settle_visitors
from customers.visitor_links import Link, LinkKind, add_links, owner_at
from tracking.events.event_mapping import read_traits
from tracking.events.event_spec import Call, CallKind
from tracking.events.known import Known, confirm, find_anchors, load_visitors, part_aliases
from tracking.events.write_keys import WriteKeyKind

_ADDRESS_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_HASH_PURPOSE = "user-hash"
_NAME, _VISITOR = IdentityKind.EXTERNAL_ID, IdentityKind.VISITOR

Identifiers = Mapping[IdentityKind, str]


class Trust(StrEnum):
    """Whether a call may change the identity of somebody known."""

    FULL = "full"
    NEW_PEOPLE_ONLY = "new_people_only"


class Person(msgspec.Struct, frozen=True):
    """Whom one call names; identifiers are normalised. `refused` says in words which of them were left out.

    `kind` is what the call makes of a visitor and a name in it, `occurred_at` and `key` are the call's own.
    """

    identifiers: Identifiers
    kind: LinkKind
    trust: Trust
    occurred_at: datetime
    key: str
    refused: tuple[str, ...] = ()


class Owner(msgspec.Struct, frozen=True):
    """Whose a call is, and the visitor (id of its identity) where nothing else tells; both None for nobody."""

    profile_id: int | None
    visitor_id: int | None = None


def user_hash_secret(vault: Vault, version: int | None = None) -> str:
    """What the shop's server makes user hashes with: ASCII text, taken as it is for the key of the HMAC."""
    return vault.signing_key(_HASH_PURPOSE, version).hex()


def user_hash(vault: Vault, user_id: str, version: int | None = None) -> str:
    """What the shop's server puts beside a user id so that its pages may identify that user: 64 hex digits."""
    return hmac.new(user_hash_secret(vault, version).encode(), user_id.encode(), hashlib.sha256).hexdigest()


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
    if not identifiers and not call.is_unnamed:
        raise InputError(refused[0] if refused else "it names nobody: send a userId or an anonymousId.")
    trust = Trust.FULL if key_kind is WriteKeyKind.SECRET or _is_vouched(vault, call) else Trust.NEW_PEOPLE_ONLY
    return Person(identifiers, _link_kind(call.kind, trust), trust, call.occurred_at, call.key, tuple(refused))


def _link_kind(kind: CallKind, trust: Trust) -> LinkKind:
    if trust is not Trust.FULL:
        return LinkKind.CLAIMED
    return {CallKind.IDENTIFY: LinkKind.STRONG, CallKind.ALIAS: LinkKind.ALIAS}.get(kind, LinkKind.WEAK)


def resolve_people(connection: Connection, vault: Vault, people: Sequence[Person], now: datetime) -> Resolved:
    """Whose each call is, made where nobody is known.

    What a secret key says comes first, whatever its place in the batch; whose a visitor was is decided by when things
    happened (see customers/visitor_links.py).
    """
    lock_people(connection)
    batch = _Batch(connection, vault, people, now)
    batch.name_people()
    batch.link_visitors()
    return Resolved(batch.owners(), batch.restated)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The owner of each call, in order, and attributes (profile, name) that changed hands with a visitor."""

    owners: Sequence[Owner]
    restated: Collection[tuple[int, str]]


class _Batch:
    """The people of some calls, while they are found out."""

    def __init__(self, connection: Connection, vault: Vault, people: Sequence[Person], now: datetime) -> None:
        self._connection = connection
        self._vault = vault
        self._people = people
        self._now = now
        self._named: list[int | None] = [None] * len(people)
        self._visitors: dict[str, int] = {}  # visitor to its identity's id
        self._dirty: set[int] = set()
        self.restated: set[tuple[int, str]] = set()

    def name_people(self) -> None:
        """Find or make whoever is called by a name or an address: first by secret keys, then by public ones."""
        for trust in (Trust.FULL, Trust.NEW_PEOPLE_ONLY):
            places = [
                place
                for place, person in enumerate(self._people)
                if person.trust is trust and person.identifiers.keys() - {IdentityKind.VISITOR}
            ]
            if places:
                self._name(places, trust)

    def _name(self, places: Sequence[int], trust: Trust) -> None:
        said = [_without_visitor(self._people[place].identifiers) for place in places]
        known = Known(self._connection, self._vault, said)
        is_claimed = trust is Trust.NEW_PEOPLE_ONLY
        if is_claimed:
            with_name = self._known_visitors(places)
            said = [
                known.believable(one, is_visitor_known=self._people[place].identifiers.get(_VISITOR) in with_name)
                for place, one in zip(places, said, strict=True)
            ]
        unsettled = []
        for place, one in zip(places, said, strict=True):
            self._named[place] = known.bearer_of(one)
            if self._named[place] is None:
                unsettled.append((place, one))
        found = resolve_all(self._connection, self._vault, [one for _, one in unsettled], self._now, claimed=is_claimed)
        for (place, _), profile_id in zip(unsettled, found, strict=True):
            self._named[place] = profile_id
        if not is_claimed:
            claimed = [one for one in said if known.has_claims(one)]
            self._dirty |= confirm(self._connection, self._vault, claimed, self._now)
        names = {one[_NAME] for one in said if _NAME in one and not known.is_there(_NAME, one[_NAME])}
        self._dirty |= part_aliases(self._connection, names, self._now)

    def _known_visitors(self, places: Sequence[int]) -> set[str]:
        """The visitors in these calls who are somebody known, and to whom a public key therefore adds no address."""
        called = {one for place in places if (one := self._people[place].identifiers.get(_VISITOR)) is not None}
        rows = load_visitors(self._connection, called)
        known = find_known(self._connection, {row.profile_id for row in rows.values()})
        return {visitor for visitor, row in rows.items() if row.profile_id in known}

    def link_visitors(self) -> None:
        """Record whose visitors were said to be, and work out anew whose those are of whom something new was said."""
        called = {one: None for person in self._people if (one := person.identifiers.get(_VISITOR))}
        standing = load_visitors(self._connection, list(called))
        said: list[tuple[str, Person, int]] = []
        anchors = self._anchors()
        known = find_known(self._connection, {p for place, p in enumerate(self._named) if p and self._claims(place)})
        for place, person in enumerate(self._people):
            visitor, profile_id = person.identifiers.get(_VISITOR), self._named[place]
            if visitor is None or profile_id is None or (person.kind is LinkKind.CLAIMED and profile_id in known):
                continue
            name = person.identifiers.get(_NAME)
            said.append((visitor, person, anchors.get(name, profile_id) if name is not None else profile_id))
        owners = {visitor: profile_id for visitor, _, profile_id in reversed(said) if visitor not in standing}
        gained = [(owner, _VISITOR, visitor, visitor) for visitor, owner in owners.items()]
        write_identities(self._connection, self._vault, gained, [], self._now)
        alone = [
            visitor
            for place, person in enumerate(self._people)
            if self._named[place] is None
            and len(person.identifiers) == 1
            and (visitor := person.identifiers.get(_VISITOR)) is not None
            and visitor not in standing
            and visitor not in owners
        ]
        resolve_all(self._connection, self._vault, [{_VISITOR: one} for one in dict.fromkeys(alone)], self._now)
        if owners or alone:
            standing |= load_visitors(self._connection, [*owners, *dict.fromkeys(alone)])
        self._visitors = {visitor: row.id for visitor, row in standing.items()}
        links = [
            Link(self._visitors[visitor], person.kind, profile_id, person.occurred_at, person.key)
            for visitor, person, profile_id in said
            if visitor in self._visitors
        ]
        new = add_links(self._connection, links)
        survivors = survivors_of(self._connection, {link.profile_id for link in new})
        now_of = {row.id: row.profile_id for row in standing.values()}
        tenures = load_tenures(self._connection, now_of)
        for link in new:
            standing_with = tenures.get(link.visitor_id)
            owner = owner_at(standing_with, link.occurred_at) if standing_with else now_of[link.visitor_id]
            if survivors[link.profile_id] != owner and link.profile_id != owner:
                self._dirty.add(link.visitor_id)
        if self._dirty:
            self.restated = settle_visitors(self._connection, self._vault, self._dirty, self._now)

    def owners(self) -> list[Owner]:
        """Whose each call is: who is named by it, else whoever had its visitor when it happened."""
        rows = load_visitors(self._connection, list(self._visitors))
        tenures = load_tenures(self._connection, [row.id for row in rows.values()])
        survivors = survivors_of(self._connection, {one.profile_id for some in tenures.values() for one in some})
        found = []
        for place, person in enumerate(self._people):
            row = rows.get(person.identifiers.get(_VISITOR, ""))
            if self._named[place] is not None or row is None:
                found.append(Owner(self._named[place]))
            elif row.id in tenures:
                found.append(Owner(survivors[owner_at(tenures[row.id], person.occurred_at)], row.id))
            else:
                found.append(Owner(row.profile_id, row.id))
        return found

    def _claims(self, place: int) -> bool:
        return self._people[place].trust is Trust.NEW_PEOPLE_ONLY

    def _anchors(self) -> dict[str, int]:
        """Who bore each name first, which a merge by review does not change."""
        names = {
            name
            for place, person in enumerate(self._people)
            if self._named[place] and _VISITOR in person.identifiers
            if (name := person.identifiers.get(_NAME)) is not None
        }
        return find_anchors(self._connection, names)


def _without_visitor(identifiers: Identifiers) -> Identifiers:
    return {kind: value for kind, value in identifiers.items() if kind is not _VISITOR}


def _is_vouched(vault: Vault, call: Call) -> bool:
    claimed = call.context.get("user_hash") or call.context.get("userHash")
    if not isinstance(claimed, str) or not claimed.isascii() or call.user_id is None:
        return False
    versions = range(vault.key_version, 0, -1)
    return any(hmac.compare_digest(claimed, user_hash(vault, call.user_id, version)) for version in versions)
