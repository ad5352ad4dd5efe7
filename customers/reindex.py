"""Blind indexes under a new version of the workspace key: the whole database at a rotation, one address afterwards.

An index cannot be computed from an older one, only from the address. So a rotation opens the addresses of everybody
and rewrites what was found under them; entries about an address that nobody has wait under their old index until the
address turns up again. A lookup begins with its version, which makes every batch one that may be repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, TableClause, and_, bindparam, column, delete, func, or_, select, table, update

from core.database import Database, batches, insert_ignore
from core.errors import NotFoundError
from core.vault import Vault, lookup_prefix
from customers.addresses import normalise
from customers.attributes import attribute_lookup
from customers.tables import IdentityKind, consent_entry, identity, profile, sealed_attribute, suppression

Progress = Callable[[int, int], None]
"""Told after each batch: how many of how many rows."""

_BATCH = 1_000
_LOOKUP_BATCH = 5_000
_SEALED_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_IS_ADDRESS = identity.c.kind.in_([kind.value for kind in _SEALED_KINDS])
_CHANNELS = {IdentityKind.EMAIL: ("email", "letter"), IdentityKind.PHONE: ("sms", "voice", "webhook", "push")}

# Packages above bind addresses too. Their tables are named, not imported, because imports run downward only.
_CONSENT_HANDLE = table("consent_handle", column("handle"), column("lookup"))
_MESSAGE = table("message", column("id"), column("lookup"))
_SIGN_UP = table("sign_up", column("id"), column("lookup"))
BOUND_TO_ADDRESSES: Mapping[str, tuple[TableClause | Any, str]] = {
    "consents": (consent_entry, "id"),
    "unsubscribe links": (_CONSENT_HANDLE, "handle"),
    "messages": (_MESSAGE, "id"),
    "sign-ups": (_SIGN_UP, "id"),
}


@dataclass(frozen=True, slots=True)
class Reindexing:
    """One table's worth of a rotation: `title` for whoever watches, `run(progress)` does it and counts the rows."""

    title: str
    run: Callable[[Progress], int]


def iter_reindexing(database: Database, vault: Vault) -> Iterator[Reindexing]:
    """Everything that a rotation rewrites, in the order that it has to be done in.

    The identities come last: as long as they stand under the old version, what is bound to an address is found by it.
    """
    for title, (bound, key) in BOUND_TO_ADDRESSES.items():
        yield Reindexing(title, partial(_reindex, database, vault, bound, key))
    yield Reindexing("stopped addresses", partial(_reindex_stops, database, vault))
    yield Reindexing("sealed attributes", partial(_reindex_attributes, database, vault))
    yield Reindexing("addresses", partial(_reindex_identities, database, vault))


def adopt_old_lookups(connection: Connection, vault: Vault, kind: str, values: Collection[str]) -> None:
    """Take over what older key versions recorded about the normalised addresses `values` of one kind.

    To be called before an address that may be new is looked up or recorded. Costs nothing while the key has one
    version, and for kinds that are not addresses.
    """
    if vault.key_version == 1 or kind not in _SEALED_KINDS:
        return
    current = {old: new for value in values for new, *olds in (vault.blind_indexes(kind, value),) for old in olds}
    for some in batches(list(current), _LOOKUP_BATCH):
        for bound, key in ((consent_entry, "id"), (_CONSENT_HANDLE, "handle"), (_SIGN_UP, "id")):
            rows = connection.execute(select(bound.c[key], bound.c.lookup).where(bound.c.lookup.in_(some))).all()
            _rename(connection, bound, key, rows, current)
        channels = _CHANNELS[IdentityKind(kind)]
        stops = select(suppression).where(suppression.c.channel.in_(channels), suppression.c.lookup.in_(some))
        _rename_stops(connection, connection.execute(stops).all(), current)


def count_old(connection: Connection, vault: Vault) -> int:
    """How many addresses and sealed attributes are found under older key versions only; 0 after a rotation."""
    addresses = select(func.count()).select_from(identity).where(*_old_identities(vault))
    attributes = select(func.count()).select_from(sealed_attribute).where(_is_old(vault, sealed_attribute.c.lookup))
    return int(connection.execute(addresses).scalar_one() + connection.execute(attributes).scalar_one())


# -- what is bound to addresses -------------------------------------------------------------------------------------


def _reindex(database: Database, vault: Vault, bound: Any, key: str, progress: Progress) -> int:
    number = bound.c[key]
    old = _is_old(vault, bound.c.lookup)
    query = select(number, bound.c.lookup).where(old).order_by(number).limit(_BATCH)

    def rewrite(connection: Connection, last: Any) -> Sequence[Row[Any]]:
        rows = connection.execute(query if last is None else query.where(number > last)).all()
        _rename(connection, bound, key, rows, _current_of(connection, vault, {row.lookup for row in rows}))
        return rows

    return _walk(database, rewrite, lambda row: row[0], _count(database, select(func.count()).where(old)), progress)


def _reindex_stops(database: Database, vault: Vault, progress: Progress) -> int:
    channel, lookup = suppression.c.channel, suppression.c.lookup
    old = _is_old(vault, lookup)
    query = select(suppression).where(old).order_by(channel, lookup).limit(_BATCH)

    def rewrite(connection: Connection, last: Any) -> Sequence[Row[Any]]:
        later = None if last is None else or_(channel > last[0], and_(channel == last[0], lookup > last[1]))
        rows = connection.execute(query if later is None else query.where(later)).all()
        _rename_stops(connection, rows, _current_of(connection, vault, {row.lookup for row in rows}))
        return rows

    total = _count(database, select(func.count()).where(old))
    return _walk(database, rewrite, lambda row: (row.channel, row.lookup), total, progress)


def _rename(connection: Connection, bound: Any, key: str, rows: Sequence[Row[Any]], current: Mapping[str, str]) -> None:
    changes = [{"its_key": row[0], "new": current[row.lookup]} for row in rows if row.lookup in current]
    if changes and bound is consent_entry:
        _rename_keys(connection, [row for row in rows if row.lookup in current], current)
    if changes:
        statement = update(bound).where(bound.c[key] == bindparam("its_key"))
        connection.execute(statement.values(lookup=bindparam("new")), changes)


def _rename_keys(connection: Connection, rows: Sequence[Row[Any]], current: Mapping[str, str]) -> None:
    """An imported entry is known by the lookup in its key; the same statement, imported again, has to meet it."""
    number, name = consent_entry.c.id, consent_entry.c.key
    held = connection.execute(select(number, name).where(number.in_([row[0] for row in rows]))).tuples()
    old_keys = dict(held.all())
    new_keys = {
        row[0]: key.replace(row.lookup, current[row.lookup]) for row in rows if row.lookup in (key := old_keys[row[0]])
    }
    taken = set(connection.scalars(select(name).where(name.in_(sorted(new_keys.values())))))
    changes = [{"its_id": number, "new": key} for number, key in new_keys.items() if key not in taken]
    if changes:
        connection.execute(
            update(consent_entry).where(number == bindparam("its_id")).values(key=bindparam("new")), changes
        )


def _rename_stops(connection: Connection, rows: Sequence[Row[Any]], current: Mapping[str, str]) -> None:
    """A stop under the new lookup may stand already, and stays: the first reason does."""
    known = [row for row in rows if row.lookup in current]
    insert_ignore(connection, suppression, [{**row._mapping, "lookup": current[row.lookup]} for row in known])
    if known:
        this = (suppression.c.channel == bindparam("its_channel")) & (suppression.c.lookup == bindparam("its_lookup"))
        gone = [{"its_channel": row.channel, "its_lookup": row.lookup} for row in known]
        connection.execute(delete(suppression).where(this), gone)


def _current_of(connection: Connection, vault: Vault, lookups: Collection[str]) -> dict[str, str]:
    """The lookup under the current version of each of the old `lookups` whose address somebody has."""
    found = _identities_of(connection, sorted(lookups))
    vault.fetch(_sealed_for(row) for row in found)
    current: dict[str, str] = {}
    for row in found:
        if row.lookup not in current and (new := _current_lookup(vault, row)) is not None:
            current[row.lookup] = new
    return current


def _identities_of(connection: Connection, lookups: Sequence[str]) -> Sequence[Row[Any]]:
    query = _identity_columns().where(_IS_ADDRESS, identity.c.lookup.in_(lookups))
    return connection.execute(query).all() if lookups else []


# -- addresses and attributes ---------------------------------------------------------------------------------------


def _reindex_identities(database: Database, vault: Vault, progress: Progress) -> int:
    query = _identity_columns().where(*_old_identities(vault)).order_by(identity.c.id).limit(_BATCH)

    def rewrite(connection: Connection, last: Any) -> Sequence[Row[Any]]:
        rows = connection.execute(query if last is None else query.where(identity.c.id > last)).all()
        vault.fetch(_sealed_for(row) for row in rows)
        new = {row.id: lookup for row in rows if (lookup := _current_lookup(vault, row)) is not None}
        _drop_doubled(connection, [row for row in rows if row.id in new], new)
        changes = [{"its_id": number, "new": lookup} for number, lookup in new.items()]
        if changes:
            statement = update(identity).where(identity.c.id == bindparam("its_id"))
            connection.execute(statement.values(lookup=bindparam("new")), changes)
        return rows

    total = _count(database, select(func.count()).where(*_old_identities(vault)))
    return _walk(database, rewrite, lambda row: row.id, total, progress)


def _drop_doubled(connection: Connection, rows: Sequence[Row[Any]], new: dict[int, str]) -> None:
    """Forget an old identity that its profile has under the current version as well, after a restore for instance."""
    query = select(identity.c.profile_id, identity.c.kind, identity.c.lookup).where(
        _IS_ADDRESS, identity.c.lookup.in_(sorted(set(new.values())))
    )
    there = set(connection.execute(query).tuples())
    doubled = [row.id for row in rows if (row.profile_id, row.kind, new[row.id]) in there]
    if doubled:
        connection.execute(delete(identity).where(identity.c.id.in_(doubled)))
        for number in doubled:
            del new[number]


def _reindex_attributes(database: Database, vault: Vault, progress: Progress) -> int:
    owner, old = sealed_attribute.c.profile_id, _is_old(vault, sealed_attribute.c.lookup)
    owners = select(owner).where(old).group_by(owner).order_by(owner).limit(_BATCH)
    statement = update(sealed_attribute).where(
        owner == bindparam("its_owner"), sealed_attribute.c.name == bindparam("its_name")
    )

    def rewrite(connection: Connection, last: Any) -> Sequence[Row[Any]]:
        rows = connection.execute(owners if last is None else owners.where(owner > last)).all()
        ids = [row.profile_id for row in rows]
        names = defaultdict(list)
        for number, name in connection.execute(select(owner, sealed_attribute.c.name).where(owner.in_(ids), old)):
            names[number].append(name)
        vault.fetch(ids)
        changes = []
        for number, sealed in connection.execute(
            select(profile.c.id, profile.c.sealed_attributes).where(profile.c.id.in_(ids))
        ):
            values = _open_attributes(vault, number, sealed)
            changes += [
                {"its_owner": number, "its_name": name, "new": attribute_lookup(vault, name, values[name])}
                for name in names[number]
                if name in values
            ]
        if changes:
            connection.execute(statement.values(lookup=bindparam("new")), changes)
        return rows

    total = _count(database, select(func.count(owner.distinct())).where(old))
    return _walk(database, rewrite, lambda row: row.profile_id, total, progress)


def _open_attributes(vault: Vault, profile_id: int, sealed: bytes | None) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = vault.open_document(profile_id, "profile.sealed_attributes", sealed)
    except NotFoundError:  # its data key was destroyed: `keys verify` tells
        return {}
    return document


def _current_lookup(vault: Vault, row: Row[Any]) -> str | None:
    """The lookup of an identity under the current version, None when it cannot be opened any more."""
    try:
        value = vault.open(_sealed_for(row), f"identity.{row.kind}", row.sealed)
    except NotFoundError:
        return None
    version = int(row.lookup.partition(".")[0], 16)
    if vault.blind_index(row.kind, value, version) != row.lookup:
        value = normalise(row.kind, value)  # it was sealed as it is written to
    return vault.blind_index(row.kind, value)


def _identity_columns() -> Any:
    return select(
        identity.c.id,
        identity.c.profile_id,
        identity.c.origin_profile_id,
        identity.c.kind,
        identity.c.lookup,
        identity.c.sealed,
    )


def _sealed_for(row: Row[Any]) -> int:
    return int(row.origin_profile_id or row.profile_id)


# -- walking --------------------------------------------------------------------------------------------------------


def _walk(
    database: Database,
    rewrite: Callable[[Connection, Any], Sequence[Row[Any]]],
    key_of: Callable[[Row[Any]], Any],
    total: int,
    progress: Progress,
) -> int:
    """Repeat `rewrite(connection, last key)` until no row is left, each time in a transaction of its own."""
    last, done = None, 0
    while True:
        with database.transaction() as connection:
            rows = rewrite(connection, last)
        if not rows:
            return done
        last = key_of(rows[-1])
        done += len(rows)
        progress(done, total)


def _count(database: Database, query: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _is_old(vault: Vault, lookup: Any) -> Any:
    prefix = lookup_prefix(vault.key_version)
    return func.substr(lookup, 1, len(prefix)) != prefix  # NULL, where there is no lookup, is not old either


def _old_identities(vault: Vault) -> tuple[Any, ...]:
    return _IS_ADDRESS, _is_old(vault, identity.c.lookup)
