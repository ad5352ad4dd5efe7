"""Brings everything that visitors did to those who owned them then, after facts about them came or fell.

The first owner of a visitor takes over the profile that stood for it (a merge, recorded and reversible); later owners
get the events from their time on. A late fact may give away what somebody else has by now: rows then change hands and
are sealed anew, so that erasing one person never shuts or spares what is another's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from core.bulk import among
from core.database import batches
from core.vault import Vault
from customers.identity_rows import write_identities
from customers.merge_rows import MergeCause, MergeKind, NewMerge, record_merges
from customers.ownership import settle_rows, survivors_of
from customers.tables import (
    IdentityKind,
    ProfileStatus,
    customer_event,
    customer_order,
    identity,
    profile,
    profile_merge,
    stated_attribute,
    visitor_tenure,
)
from customers.touches import TouchKind, touch
from customers.visitor_links import Link, LinkKind, Tenure, add_links, derive_tenures, load_links, owner_at

_BATCH = 5_000
_SOURCE = "identities"
COLUMN = "stated_attribute.value"  # what a statement is sealed as


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visitor's identity and whose it is: `profile_id` now, `home_id` while it is nobody."""

    id: int
    profile_id: int
    home_id: int | None
    before: Sequence[Tenure]
    tenures: Sequence[Tenure]


def load_tenures(connection: Connection, visitor_ids: Collection[int]) -> dict[int, list[Tenure]]:
    """The tenures of those visitors who have had several owners."""
    found: dict[int, list[Tenure]] = {}
    for some in batches(sorted(visitor_ids), _BATCH):
        query = select(visitor_tenure).where(among(connection, visitor_tenure.c.visitor_id, some))
        for row in connection.execute(query.order_by(visitor_tenure.c.since)):
            found.setdefault(row.visitor_id, []).append(Tenure(row.since, row.profile_id))
    return found


def settle_visitors(
    connection: Connection, vault: Vault, visitor_ids: Collection[int], now: datetime
) -> set[tuple[int, str]]:
    """Work out anew whose these visitors are and were; answers the attributes of whom that concerns."""
    visitors = _load(connection, vault, visitor_ids, now)
    if not visitors:
        return set()
    _settle_homes(connection, visitors, now)
    survivors = survivors_of(connection, {one.profile_id for visitor in visitors for one in visitor.tenures})
    for visitor in visitors:
        if len(visitor.tenures) > 1 or not _was_nobody(visitor):
            _move_rows(connection, vault, visitor, survivors)
        _write(connection, visitor, survivors)
    return _move_statements(connection, vault, visitors, survivors)


def _load(connection: Connection, vault: Vault, visitor_ids: Collection[int], now: datetime) -> list[Visitor]:
    rows: list[Row[Any]] = []
    for some in batches(sorted(visitor_ids), _BATCH):
        rows += connection.execute(select(identity).where(among(connection, identity.c.id, some))).all()
    links = load_links(connection, [row.id for row in rows])
    survivors = survivors_of(connection, {link.profile_id for some in links.values() for link in some})
    _seed(connection, [row for row in rows if _lacks_origin(links.get(row.id, ()), row, survivors)], links)
    users = _users_among(connection, [row.lookup for row in rows if _has(links[row.id], LinkKind.ALIAS)])
    claimed = {link.profile_id for row in rows for link in links[row.id] if link.kind is LinkKind.CLAIMED}
    known = find_known(connection, claimed)
    standing = load_tenures(connection, visitor_ids)
    visitors = []
    for row in rows:
        void = (LinkKind.ALIAS,) if row.lookup in users else ()
        tenures = derive_tenures(links[row.id], void=void, known=known)
        home = next((link.profile_id for link in links[row.id] if link.kind is LinkKind.HOME), None)
        if not tenures:
            home = _make_home(connection, vault, row, now)
            tenures = [Tenure(row.created_at, home)]
        before = standing.get(row.id) or [Tenure(tenures[0].since, row.profile_id)]
        visitors.append(Visitor(row.id, row.profile_id, home, before, tenures))
    return visitors


def _lacks_origin(links: Sequence[Link], row: Row[Any], survivors: Mapping[int, int]) -> bool:
    """Whether nothing tells how the visitor came to whoever has it: it was made alone, or by an import."""
    return all(link.kind is not LinkKind.HOME and survivors[link.profile_id] != row.profile_id for link in links)


def _seed(connection: Connection, rows: Sequence[Row[Any]], links: dict[int, list[Link]]) -> None:
    """Record as a fact whose a visitor was before the first one about it: its own home, or somebody's by an import."""
    named = find_named(connection, {row.origin_profile_id or row.profile_id for row in rows})
    for row in rows:
        first = row.origin_profile_id or row.profile_id
        kind = LinkKind.STRONG if first in named else LinkKind.HOME
        link = Link(row.id, kind, first, row.created_at, "")
        add_links(connection, [link])
        links.setdefault(row.id, []).append(link)


def find_named(connection: Connection, profile_ids: Collection[int]) -> set[int]:
    """Those of `profile_ids` who have, or had before a merge, a name or an address."""
    return _with_identity(connection, profile_ids, identity.c.kind != IdentityKind.VISITOR.value)


def find_known(connection: Connection, profile_ids: Collection[int]) -> set[int]:
    """Those of `profile_ids` whom more than a public key names."""
    return _with_identity(
        connection, profile_ids, identity.c.kind != IdentityKind.VISITOR.value, identity.c.is_claimed.is_(False)
    )


def _with_identity(connection: Connection, profile_ids: Collection[int], *where: Any) -> set[int]:
    survivors = survivors_of(connection, profile_ids)
    first = func.coalesce(identity.c.origin_profile_id, identity.c.profile_id)
    found: set[int] = set()
    for some in batches(sorted(set(survivors.values())), _BATCH):
        query = select(first).where(among(connection, identity.c.profile_id, some), *where)
        found |= set(connection.scalars(query)) & set(profile_ids)
    return found


def _users_among(connection: Connection, lookups: Sequence[str]) -> set[str]:
    of_users = identity.c.kind == IdentityKind.EXTERNAL_ID.value
    query = select(identity.c.lookup).where(of_users, identity.c.lookup.in_(lookups))
    return set(connection.scalars(query)) if lookups else set()


def _has(links: Sequence[Link], kind: LinkKind) -> bool:
    return any(link.kind is kind for link in links)


def _make_home(connection: Connection, vault: Vault, row: Row[Any], now: datetime) -> int:
    """A profile for a visitor whom a public key had claimed for somebody, and who is nobody again."""
    (home,) = write_identities(connection, vault, [], [0], now).values()
    add_links(connection, [Link(row.id, LinkKind.HOME, home, row.created_at, "")])
    return home


def _was_nobody(visitor: Visitor) -> bool:
    return len(visitor.before) == 1 and visitor.before[0].profile_id == visitor.home_id


# -- homes: merged into the first owner, or split from whoever has them wrongly ------------------------------------


def _settle_homes(connection: Connection, visitors: Sequence[Visitor], now: datetime) -> None:
    wanted = {one.home_id: one.tenures[0].profile_id for one in visitors if one.home_id is not None}
    rows = connection.execute(
        select(profile.c.id, profile.c.merged_into).where(
            profile.c.id.in_(wanted),
            profile.c.status.in_((ProfileStatus.ACTIVE.value, ProfileStatus.MERGED.value)),
        )
    ).all()
    survivors = survivors_of(connection, {*wanted.values(), *(row.merged_into for row in rows if row.merged_into)})
    split, merged = [], {}
    for row in rows:
        owner = wanted[row.id]
        should = None if owner == row.id else survivors[owner]
        if (survivors[row.merged_into] if row.merged_into else None) == should:
            continue
        if row.merged_into is not None:
            split.append(row)
        if should is not None:
            merged[row.id] = should
    if not split and not merged:
        return
    _split_homes(connection, split, now)
    for home, owner in merged.items():
        gone = {"status": ProfileStatus.MERGED, "merged_into": owner, "updated_at": now}
        connection.execute(update(profile).where(profile.c.id == home).values(**gone))
    touched = {*merged.values(), *(row.merged_into for row in split)}
    touch(connection, {*merged, *touched, *(row.id for row in split)}, TouchKind.REWRITTEN)
    connection.execute(update(profile).where(profile.c.id.in_(touched)).values(updated_at=now))
    settle_rows(connection, {*merged, *survivors_of(connection, touched).values(), *(row.id for row in split)})
    new = [NewMerge(owner, home, MergeCause.VISITOR, _SOURCE) for home, owner in merged.items()]
    if new:
        record_merges(connection, new, now)


def _split_homes(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    splits = []
    for row in rows:
        merge = profile_merge.c
        standing = select(merge.id, merge.profile_id).where(
            merge.merged_profile_id == row.id, merge.kind == MergeKind.MERGE.value
        )
        last = connection.execute(standing.order_by(merge.id.desc()).limit(1)).one_or_none()
        if last is not None:
            kind, by = MergeKind.SPLIT, MergeCause.VISITOR
            splits.append(NewMerge(last.profile_id, row.id, by, _SOURCE, kind, splits=last.id))
        back = {"status": ProfileStatus.ACTIVE, "merged_into": None, "updated_at": now}
        connection.execute(update(profile).where(profile.c.id == row.id).values(**back))
    if splits:
        record_merges(connection, splits, now)


# -- rows that came by the visitor alone ----------------------------------------------------------------------------


def _move_rows(connection: Connection, vault: Vault, visitor: Visitor, survivors: Mapping[int, int]) -> None:
    """Give each row to whoever owned the visitor when it happened."""
    stand_with = set(survivors_of(connection, {one.profile_id for one in (*visitor.before, *visitor.tenures)}).values())
    if visitor.home_id is not None:
        stand_with |= set(survivors_of(connection, [visitor.home_id]).values())
    _move(connection, vault, visitor, survivors, stand_with, customer_event, "occurred_at", "sealed_properties")
    _move(connection, vault, visitor, survivors, stand_with, customer_order, "placed_at", None)


def _move(
    connection: Connection,
    vault: Vault,
    visitor: Visitor,
    survivors: Mapping[int, int],
    stand_with: Collection[int],
    table: Table,
    when: str,
    sealed: str | None,
) -> None:
    columns = [table.c.id, table.c.profile_id, table.c.origin_profile_id, table.c[when].label("at")]
    columns += [table.c[sealed].label("sealed")] if sealed else []
    rows = connection.execute(
        select(*columns).where(table.c.profile_id.in_(stand_with), table.c.visitor_id == visitor.id)
    ).all()
    for row in rows:
        first = row.origin_profile_id or row.profile_id
        owner = owner_at(visitor.tenures, row.at)
        is_first = len(visitor.tenures) == 1 or row.at < visitor.tenures[1].since
        if (first == visitor.home_id and is_first) or (first != visitor.home_id and row.profile_id == survivors[owner]):
            continue
        values: dict[str, Any] = {
            "profile_id": survivors[owner],
            "origin_profile_id": owner if owner != survivors[owner] else None,
        }
        if sealed and row.sealed is not None:
            name = f"{table.name}.properties"
            vault.prepare([owner])
            values[sealed] = vault.seal_document(owner, name, vault.open_document(first, name, row.sealed))
        connection.execute(update(table).where(table.c.id == row.id).values(**values))
        touch(connection, {row.profile_id, survivors[owner]}, TouchKind.REWRITTEN)


def _move_statements(
    connection: Connection, vault: Vault, visitors: Sequence[Visitor], survivors: Mapping[int, int]
) -> set[tuple[int, str]]:
    """Give what visitors said of themselves to those whom it is about; answers whose and which attributes those are."""
    of = {visitor.id: visitor for visitor in visitors}
    restated: set[tuple[int, str]] = set()
    rows = connection.execute(select(stated_attribute).where(stated_attribute.c.visitor_id.in_(of))).all()
    for row in rows:
        owner = survivors[owner_at(of[row.visitor_id].tenures, row.occurred_at)]
        if owner == row.profile_id:
            continue
        vault.prepare([owner])
        sealed = vault.seal_document(owner, COLUMN, vault.open_document(row.profile_id, COLUMN, row.sealed))
        moved = update(stated_attribute).where(stated_attribute.c.id == row.id)
        connection.execute(moved.values(profile_id=owner, sealed=sealed))
        restated |= {(row.profile_id, row.name), (owner, row.name)}
    return restated


def _write(connection: Connection, visitor: Visitor, survivors: Mapping[int, int]) -> None:
    last = visitor.tenures[-1].profile_id
    first = visitor.home_id if len(visitor.tenures) == 1 and visitor.home_id is not None else last
    values = {"profile_id": survivors[last], "origin_profile_id": None if first == survivors[last] else first}
    connection.execute(update(identity).where(identity.c.id == visitor.id).values(**values))
    connection.execute(delete(visitor_tenure).where(visitor_tenure.c.visitor_id == visitor.id))
    if len(visitor.tenures) > 1:
        rows = [{"visitor_id": visitor.id, "since": one.since, "profile_id": one.profile_id} for one in visitor.tenures]
        connection.execute(insert(visitor_tenure), rows)
