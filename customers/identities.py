"""Who is meant by an external id, an address, a number or a visitor id: the profile, found or made.

A name (external id, visitor) belongs to one profile; an address may be shared by several. An anonymous
visitor that turns out to be somebody brings its history along, a shared device never makes one person of two, and what
an address says yields to what a name says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, insert, select, text, update

from core.database import batches, insert_ignore
from core.vault import Vault
from customers.addresses import email_domain, normalise, phone_country
from customers.merges import absorb
from customers.tables import IdentityKind, identity, profile

__all__ = ["Linking", "Resolved", "lookup_of", "normalise", "resolve", "resolve_all", "resolve_each"]

_LOOKUP_BATCH = 5_000
_SEALED_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_LONGEST_PROVIDER = 100
_CREATION_LOCK = 7_204_411  # any number, so long as every process uses the same


_Gained = tuple[int, IdentityKind, str, str]  # profile, kind, lookup, value


class Linking(StrEnum):
    """What a visitor id and a name in one call mean."""

    STRONG = "strong"  # identify: this visitor is that person from now on
    WEAK = "weak"  # track, page: only where nothing contradicts


@dataclass(frozen=True, slots=True)
class Resolved:
    """`is_news`: the identifiers were not all known as this profile's."""

    profile_id: int | None
    is_news: bool


@dataclass(slots=True)
class _Known:
    """What is known about the identifiers of one batch; grows as the batch is worked through.

    A profile that is yet to be made has a negative number.
    """

    owners: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    external_ids: dict[int, set[str]] = field(default_factory=dict)
    addressed: set[int] = field(default_factory=set)
    new_identities: list[_Gained] = field(default_factory=list)
    new_count: int = 0

    def is_anonymous(self, profile_id: int) -> bool:
        return not self.external_ids.get(profile_id) and profile_id not in self.addressed


def lookup_of(vault: Vault, kind: str, normalised: str) -> str:
    """What `identity.lookup` holds: the blind index of an address, the value itself for other kinds."""
    return vault.blind_index(kind, normalised) if kind in _SEALED_KINDS else normalised


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
) -> list[int | None]:
    """`resolve` for many at once, whose identifiers are normalised already: what one row teaches, the next one knows.

    `linking` goes with `people`, strong by default. `synthetic` marks addresses that were made up and that only the
    sandbox accepts.
    """
    resolved = resolve_each(connection, vault, people, now, create=create, linking=linking, synthetic=synthetic)
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
) -> list[Resolved]:
    """As `resolve_all`, and for each row whether it taught something."""
    if create and connection.dialect.name == "postgresql":
        # Two processes that meet the same stranger at once must not make two people of him.
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _CREATION_LOCK})
    lookups = [{kind: lookup_of(vault, kind, value) for kind, value in person.items()} for person in people]
    known = _load(connection, lookups)
    found: list[Resolved] = []
    moves: list[tuple[str, int, int]] = []  # visitor, from, to
    for row, (person, values) in enumerate(zip(lookups, people, strict=True)):
        profile_id = _find(known, person)
        before = (len(known.new_identities), len(moves))
        if profile_id is None and create and person:
            known.new_count += 1
            profile_id = -known.new_count
        if profile_id is not None and create:
            _learn(known, profile_id, person, values, linking[row] if linking else Linking.STRONG, moves)
        found.append(Resolved(profile_id, before != (len(known.new_identities), len(moves))))
    if not create:
        return found
    current = _create(connection, vault, known, now, synthetic)
    for visitor, old, new in moves:
        old, new = current.get(old, old), current.get(new, new)
        if absorb(connection, vault, visitor, old, new, now):
            current = {number: new if owner == old else owner for number, owner in current.items()} | {old: new}
    return [
        one if one.profile_id is None else replace(one, profile_id=current.get(one.profile_id, one.profile_id))
        for one in found
    ]


def _load(connection: Connection, lookups: Sequence[Mapping[IdentityKind, str]]) -> _Known:
    known = _Known()
    for kind in IdentityKind:
        values = list(dict.fromkeys(person[kind] for person in lookups if kind in person))
        for some in batches(values, _LOOKUP_BATCH):
            query = select(identity.c.lookup, identity.c.profile_id).where(
                identity.c.kind == kind.value, identity.c.lookup.in_(some)
            )
            for lookup, profile_id in connection.execute(query.order_by(identity.c.profile_id)):
                known.owners.setdefault((kind, lookup), []).append(profile_id)
    _load_owners(connection, known, {number for owners in known.owners.values() for number in owners})
    return known


def _load_owners(connection: Connection, known: _Known, profile_ids: Collection[int]) -> None:
    for some in batches(sorted(profile_ids), _LOOKUP_BATCH):
        query = select(identity.c.profile_id, identity.c.kind, identity.c.lookup).where(
            identity.c.profile_id.in_(some), identity.c.kind != IdentityKind.VISITOR
        )
        for profile_id, kind, lookup in connection.execute(query):
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
    moves: list[tuple[str, int, int]],
) -> None:
    """Note which identities the profile gains, and which visitor comes over to it."""
    for kind, lookup in person.items():
        owners = known.owners.setdefault((kind, lookup), [])
        if profile_id in owners:
            continue
        if kind == IdentityKind.VISITOR and owners:
            if known.is_anonymous(owners[0]) or linking is Linking.STRONG:
                moves.append((lookup, owners[0], profile_id))
                owners[:] = [profile_id]
            continue
        owners.append(profile_id)
        known.new_identities.append((profile_id, kind, lookup, values[kind]))
        if kind == IdentityKind.EXTERNAL_ID:
            known.external_ids.setdefault(profile_id, set()).add(lookup)
        elif kind in _SEALED_KINDS:
            known.addressed.add(profile_id)


def _create(connection: Connection, vault: Vault, known: _Known, now: datetime, synthetic: bool) -> dict[int, int]:
    """Write the new profiles and identities; answers the real number of each negative one."""
    made: dict[int, int] = {}
    if known.new_count:
        blank = {"created_at": now, "updated_at": now}
        statement = insert(profile).returning(profile.c.id, sort_by_parameter_order=True)
        ids = connection.execute(statement, [blank] * known.new_count).scalars().all()
        made = {-number: profile_id for number, profile_id in enumerate(ids, start=1)}
    if not known.new_identities:
        return made
    gained = [(made.get(owner, owner), kind, lookup, value) for owner, kind, lookup, value in known.new_identities]
    vault.prepare(owner for owner, kind, *_ in gained if kind in _SEALED_KINDS)
    rows = [
        {
            "profile_id": owner,
            "kind": kind.value,
            "lookup": lookup,
            "sealed": vault.seal(owner, f"identity.{kind}", value) if kind in _SEALED_KINDS else None,
            "is_synthetic": synthetic and kind in _SEALED_KINDS,
            "created_at": now,
        }
        for owner, kind, lookup, value in gained
    ]
    insert_ignore(connection, identity, rows)
    _derive(connection, gained, now)
    return made


def _derive(connection: Connection, gained: Sequence[_Gained], now: datetime) -> None:
    """Keep the plain columns that segments select by; a newer address takes the place of an older one."""
    emails = {
        owner: email_domain(value)[:_LONGEST_PROVIDER] for owner, kind, _, value in gained if kind == IdentityKind.EMAIL
    }
    phones = {owner: phone_country(value) for owner, kind, _, value in gained if kind == IdentityKind.PHONE}
    of_profile = update(profile).where(profile.c.id == bindparam("owner"))
    if emails:
        statement = of_profile.values(has_email=True, email_provider=bindparam("provider"), updated_at=now)
        connection.execute(statement, [{"owner": o, "provider": domain} for o, domain in emails.items()])
    if phones:
        statement = of_profile.values(has_phone=True, phone_country=bindparam("country_code"), updated_at=now)
        connection.execute(statement, [{"owner": o, "country_code": code} for o, code in phones.items()])
