"""Who is meant by an external id, an address, a number or a visitor id: the profile, found or made.

A name (external id, visitor) belongs to one profile; an address may be shared by several. An anonymous
visitor that turns out to be somebody brings its history along, a shared device never makes one person of two, and what
an address says yields to what a name says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select, text

from core.bulk import among
from core.database import batches
from core.vault import Vault
from customers.addresses import normalise
from customers.identity_rows import Gained, ProfileStart, write_identities
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from customers.tombstones import find_buried, is_anybody_buried
from customers.visitors import HandOver, hand_over

__all__ = ["Linking", "Resolved", "lookup_of", "normalise", "resolve", "resolve_all", "resolve_each"]

_LOOKUP_BATCH = 5_000
_SEALED_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_CREATION_LOCK = 7_204_411  # any number, so long as every process uses the same


class Linking(StrEnum):
    """What a visitor id and a name in one call mean."""

    STRONG = "strong"  # identify: this visitor is that person from now on
    WEAK = "weak"  # track, page: only where nothing contradicts


@dataclass(frozen=True, slots=True)
class Resolved:
    """`is_news`: the identifiers were not all known as this profile's. `is_made`: this row is what made the profile.

    `is_buried`: nobody is meant, because every identifier belonged to somebody who was erased.
    """

    profile_id: int | None
    is_news: bool
    is_made: bool = False
    is_buried: bool = False


@dataclass(slots=True)
class _Known:
    """What is known about the identifiers of one batch; grows as the batch is worked through.

    A profile that is yet to be made has a negative number.
    """

    owners: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    external_ids: dict[int, set[str]] = field(default_factory=dict)
    addressed: set[int] = field(default_factory=set)
    new_identities: list[Gained] = field(default_factory=list)
    makers: list[int] = field(default_factory=list)  # the row that makes each new profile

    def is_anonymous(self, profile_id: int) -> bool:
        return not self.external_ids.get(profile_id) and profile_id not in self.addressed


def lookup_of(vault: Vault, kind: str, normalised: str) -> str:
    """What `identity.lookup` holds: the blind index of an address, the value itself for other kinds."""
    return vault.blind_index(kind, normalised) if kind in _SEALED_KINDS else normalised


def lock_people(connection: Connection) -> None:
    """Let nobody else make, find to be somebody, or erase a person until this transaction ends.

    Two processes that meet the same stranger at once must not make two people of him. On SQLite writers queue anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _CREATION_LOCK})


def resolve(
    connection: Connection,
    vault: Vault,
    identifiers: Mapping[IdentityKind, str],
    now: datetime,
    *,
    create: bool = True,
    linking: Linking = Linking.STRONG,
    region: str | None = None,
) -> int | None:
    """The profile that `identifiers` mean, made where nobody is known; None without `create` or without identifiers.

    `region` is the country of phone numbers without one. Raises InputError when an identifier is malformed.
    """
    person = {IdentityKind(kind): normalise(kind, value, region) for kind, value in identifiers.items() if value}
    return resolve_all(connection, vault, [person], now, create=create, linking=[linking])[0]


def resolve_all(
    connection: Connection,
    vault: Vault,
    people: Sequence[Mapping[IdentityKind, str]],
    now: datetime,
    *,
    create: bool = True,
    linking: Sequence[Linking] | None = None,
    synthetic: bool = False,
    claimed: bool = False,
    batch_id: int | None = None,
) -> list[int | None]:
    """`resolve` for many at once, whose identifiers are normalised already: what one row teaches, the next one knows.

    `linking` goes with `people`, strong by default. `synthetic` marks addresses that were made up and that only the
    sandbox accepts, `claimed` what only a public key says; `batch_id` is the import that speaks.
    """
    resolved = resolve_each(
        connection,
        vault,
        people,
        now,
        create=create,
        linking=linking,
        synthetic=synthetic,
        claimed=claimed,
        batch_id=batch_id,
    )
    return [one.profile_id for one in resolved]


def resolve_each(
    connection: Connection,
    vault: Vault,
    people: Sequence[Mapping[IdentityKind, str]],
    now: datetime,
    *,
    create: bool = True,
    linking: Sequence[Linking] | None = None,
    synthetic: bool = False,
    claimed: bool = False,
    lookups: Sequence[Mapping[IdentityKind, str]] | None = None,
    start: Callable[[int, int], ProfileStart] | None = None,
    batch_id: int | None = None,
) -> list[Resolved]:
    """As `resolve_all`, and for each row whether it taught something.

    For importers: `lookups` are those of `people` where they are known already; `start` tells what a profile that is
    made knows from its first moment, given its id and the place of the row that makes it; `batch_id` is the import's.
    """
    if create:
        lock_people(connection)
    if lookups is None:
        lookups = [{kind: lookup_of(vault, kind, value) for kind, value in person.items()} for person in people]
    known = _load(connection, lookups)
    buried = _buried(connection, vault, known, lookups, people) if create else frozenset()
    found: list[Resolved] = []
    moves: list[HandOver] = []
    for row, (person, values) in enumerate(zip(lookups, people, strict=True)):
        if buried:
            living = {kind: lookup for kind, lookup in person.items() if (kind, lookup) not in buried}
            if person and not living:
                found.append(Resolved(None, is_news=False, is_buried=True))
                continue
            person = living  # what is left of it
        profile_id = _find(known, person)
        before = (len(known.new_identities), len(moves))
        is_made = profile_id is None and create and bool(person)
        if is_made:
            known.makers.append(row)
            profile_id = -len(known.makers)
        if profile_id is not None and create:
            _learn(known, profile_id, person, values, linking[row] if linking else Linking.STRONG, moves)
        found.append(Resolved(profile_id, before != (len(known.new_identities), len(moves)), is_made))
    if not create:
        return found
    current = write_identities(
        connection,
        vault,
        known.new_identities,
        known.makers,
        now,
        synthetic=synthetic,
        claimed=claimed,
        start=start,
        batch_id=batch_id,
    )
    real = [HandOver(one.visitor, current.get(one.old, one.old), current.get(one.new, one.new)) for one in moves]
    merged = hand_over(connection, real, now)
    return [
        one
        if one.profile_id is None or (one.profile_id > 0 and not merged)
        else Resolved(_now(one.profile_id, current, merged), one.is_news, one.is_made)
        for one in found
    ]


def _now(profile_id: int, made: Mapping[int, int], merged: Mapping[int, int]) -> int:
    """Who a profile of this batch has become: a negative number has its id, who was nobody its survivor."""
    owner = made.get(profile_id, profile_id)
    return merged.get(owner, owner)


def _buried(
    connection: Connection,
    vault: Vault,
    known: _Known,
    lookups: Sequence[Mapping[IdentityKind, str]],
    people: Sequence[Mapping[IdentityKind, str]],
) -> frozenset[tuple[IdentityKind, str]]:
    """The kinds and lookups of those identifiers that nobody has any more, because their owner was erased."""
    if not is_anybody_buried(connection):
        return frozenset()
    unknown = {
        (kind, values[kind]): (kind, lookup)
        for person, values in zip(lookups, people, strict=True)
        for kind, lookup in person.items()
        if (kind, lookup) not in known.owners
    }
    return frozenset(unknown[one] for one in find_buried(connection, vault, unknown))


def _load(connection: Connection, lookups: Sequence[Mapping[IdentityKind, str]]) -> _Known:
    known = _Known()
    for kind in IdentityKind:
        values = list(dict.fromkeys(person[kind] for person in lookups if kind in person))
        for some in batches(values, _LOOKUP_BATCH):
            query = select(identity.c.lookup, identity.c.profile_id).where(
                identity.c.kind == kind.value, among(connection, identity.c.lookup, some)
            )
            if kind in _SEALED_KINDS:  # what two of one person had stands with a merged profile as well
                query = query.join(profile).where(profile.c.status != ProfileStatus.MERGED.value)
            for lookup, profile_id in connection.execute(query.order_by(identity.c.profile_id)).all():
                known.owners.setdefault((kind, lookup), []).append(profile_id)
    _load_owners(connection, known, {number for owners in known.owners.values() for number in owners})
    return known


def _load_owners(connection: Connection, known: _Known, profile_ids: Collection[int]) -> None:
    for some in batches(sorted(profile_ids), _LOOKUP_BATCH):
        query = select(identity.c.profile_id, identity.c.kind, identity.c.lookup).where(
            among(connection, identity.c.profile_id, some), identity.c.kind != IdentityKind.VISITOR
        )
        for profile_id, kind, lookup in connection.execute(query).all():
            if kind == IdentityKind.EXTERNAL_ID:
                known.external_ids.setdefault(profile_id, set()).add(lookup)
            else:
                known.addressed.add(profile_id)


def _find(known: _Known, person: Mapping[IdentityKind, str]) -> int | None:
    """By name, then by an address whose owner bears no other name, then by visitor."""
    name = person.get(IdentityKind.EXTERNAL_ID)
    if name is not None and (owners := known.owners.get((IdentityKind.EXTERNAL_ID, name))):
        return owners[0]
    for kind in _SEALED_KINDS:
        if kind in person:
            for owner in known.owners.get((kind, person[kind]), ()):
                if name is None or not known.external_ids.get(owner):
                    return owner
    visitor = person.get(IdentityKind.VISITOR)
    owners = known.owners.get((IdentityKind.VISITOR, visitor), []) if visitor is not None else []
    if owners and (len(person) == 1 or known.is_anonymous(owners[0])):
        return owners[0]
    return None


def _learn(
    known: _Known,
    profile_id: int,
    person: Mapping[IdentityKind, str],
    values: Mapping[IdentityKind, str],
    linking: Linking,
    moves: list[HandOver],
) -> None:
    """Note which identities the profile gains, and which visitor comes over to it."""
    for kind, lookup in person.items():
        owners = known.owners.setdefault((kind, lookup), [])
        if profile_id in owners:
            continue
        if kind == IdentityKind.VISITOR and owners:
            if known.is_anonymous(owners[0]) or linking is Linking.STRONG:
                moves.append(HandOver(lookup, owners[0], profile_id))
                owners[:] = [profile_id]
            continue
        owners.append(profile_id)
        known.new_identities.append((profile_id, kind, lookup, values[kind]))
        if kind == IdentityKind.EXTERNAL_ID:
            known.external_ids.setdefault(profile_id, set()).add(lookup)
        elif kind in _SEALED_KINDS:
            known.addressed.add(profile_id)
