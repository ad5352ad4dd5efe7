"""Which names and addresses are known already, and what becomes of a claim when the shop itself speaks.

Whatever only a public key says is a claim: it makes new people, and it falls as soon as a secret key names the same
person or address, in whichever order the two arrive. So nobody prepares an account for somebody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from core.bulk import among
from core.database import batches
from core.vault import Vault
from customers.identities import lookup_of
from customers.merges import derive_addresses
from customers.proposals import ReviewReason, propose
from customers.tables import IdentityKind, identity, visitor_link
from customers.visitor_links import LinkKind

_BATCH = 5_000
_ADDRESSES = (IdentityKind.EMAIL.value, IdentityKind.PHONE.value)

Identifiers = Mapping[IdentityKind, str]
Place = tuple[str, str]  # kind and lookup


class Known:
    """The rows of some names and addresses, as they stand before a batch says more."""

    def __init__(self, connection: Connection, vault: Vault, people: Iterable[Identifiers]) -> None:
        self._places = {
            (kind, value): (str(kind), lookup_of(vault, kind, value)) for one in people for kind, value in one.items()
        }
        self._rows = _load(connection, set(self._places.values()))
        self._has_claims = any(row.is_claimed for rows in self._rows.values() for row in rows)

    def has_claims(self, person: Identifiers) -> bool:
        """Whether something in `person` was named by a public key alone."""
        return self._has_claims and any(
            row.is_claimed for one in person.items() for row in self._rows.get(self._places[one], ())
        )

    def is_known(self, kind: IdentityKind, value: str) -> bool:
        return any(not row.is_claimed for row in self._rows.get(self._places[kind, value], ()))

    def is_there(self, kind: IdentityKind, value: str) -> bool:
        """Whether anybody at all has named it."""
        return self._places[kind, value] in self._rows

    def bearer_of(self, person: Identifiers) -> int | None:
        """Whose the name is that alone stands in `person`: most calls say nothing else, and nothing new."""
        if len(person) > 1 or (name := person.get(IdentityKind.EXTERNAL_ID)) is None:
            return None
        rows = self._rows.get(self._places[IdentityKind.EXTERNAL_ID, name])
        return rows[0].profile_id if rows else None

    def believable(self, identifiers: Identifiers, *, is_visitor_known: bool) -> Identifiers:
        """Of what a public key says, what makes nobody who is known gain or lose anything; without the visitor."""
        said = {kind: value for kind, value in identifiers.items() if kind is not IdentityKind.VISITOR}
        name = said.get(IdentityKind.EXTERNAL_ID)
        if name is not None and self.is_known(IdentityKind.EXTERNAL_ID, name):
            return {IdentityKind.EXTERNAL_ID: name}
        if name is None and is_visitor_known:
            return {}
        return {kind: value for kind, value in said.items() if not self.is_known(kind, value)}


def confirm(connection: Connection, vault: Vault, people: Sequence[Identifiers], now: datetime) -> set[int]:
    """Let what a secret key says of `people` stand and claims against it fall; answers the visitors concerned."""
    places = {(kind.value, lookup_of(vault, kind, value)) for one in people for kind, value in one.items()}
    rows = [row for some in _load(connection, places).values() for row in some]
    claims = [row for row in rows if row.is_claimed]
    if not claims:
        return set()
    # Of an address that somebody else only claims, the owner's own row stands beside the claim.
    owned = {(row.kind, row.lookup) for row in rows if not row.is_claimed}
    named = {row.profile_id for row in claims if row.kind == IdentityKind.EXTERNAL_ID.value}
    false = [row for row in claims if (row.kind, row.lookup) in owned and row.kind in _ADDRESSES]
    true = [row.id for row in claims if row not in false]
    connection.execute(update(identity).where(identity.c.id.in_(true)).values(is_claimed=False))
    of_named = and_(identity.c.profile_id.in_(named), identity.c.kind.in_(_ADDRESSES), identity.c.is_claimed)
    gone = or_(identity.c.id.in_([row.id for row in false]), of_named)
    losers = set(connection.scalars(select(identity.c.profile_id).where(gone)))
    connection.execute(delete(identity).where(gone))
    for profile_id in sorted(losers):
        derive_addresses(connection, vault, profile_id, now)
    return _visitors_of(connection, {row.origin_profile_id or row.profile_id for row in claims}, LinkKind.CLAIMED)


def part_aliases(connection: Connection, names: Collection[str], now: datetime) -> set[int]:
    """New users whom an alias had taken for visitors: the pair waits for a person who decides; answers the visitors."""
    if not names:
        return set()
    visitors = load_visitors(connection, names)
    query = select(visitor_link.c.visitor_id, visitor_link.c.profile_id).where(
        visitor_link.c.visitor_id.in_([row.id for row in visitors.values()]),
        visitor_link.c.kind == LinkKind.ALIAS.value,
    )
    said = connection.execute(query).all() if visitors else []
    if not said:
        return set()
    names_of = {row.id: lookup for lookup, row in visitors.items()}
    users = find_anchors(connection, {names_of[one.visitor_id] for one in said})
    pairs = [(users[names_of[one.visitor_id]], one.profile_id) for one in said]
    propose(connection, pairs, ReviewReason.ALIAS, now)
    return {one.visitor_id for one in said}


def find_anchors(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """Who bore each of these external ids first, which a merge by review does not change."""
    rows = _load(connection, {(IdentityKind.EXTERNAL_ID.value, name) for name in names})
    return {lookup: some[0].origin_profile_id or some[0].profile_id for (_, lookup), some in rows.items()}


def load_visitors(connection: Connection, visitors: Collection[str]) -> dict[str, Row[Any]]:
    """The identities of those of `visitors` that have one."""
    rows = _load(connection, {(IdentityKind.VISITOR.value, one) for one in visitors})
    return {lookup: some[0] for (_, lookup), some in rows.items()}


def _visitors_of(connection: Connection, profile_ids: Collection[int], kind: LinkKind) -> set[int]:
    query = select(visitor_link.c.visitor_id).where(
        visitor_link.c.profile_id.in_(profile_ids), visitor_link.c.kind == kind.value
    )
    return set(connection.scalars(query))


def _load(connection: Connection, places: Collection[Place]) -> dict[Place, list[Row[Any]]]:
    found: dict[Place, list[Row[Any]]] = {}
    columns = [identity.c[name] for name in ("id", "kind", "lookup", "profile_id", "origin_profile_id", "is_claimed")]
    for kind in sorted({kind for kind, _ in places}):
        lookups = sorted(lookup for of_kind, lookup in places if of_kind == kind)
        for some in batches(lookups, _BATCH):
            query = select(*columns).where(identity.c.kind == kind, among(connection, identity.c.lookup, some))
            for row in connection.execute(query).all():
                found.setdefault((row.kind, row.lookup), []).append(row)
    return found
