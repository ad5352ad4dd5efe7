"""Two profiles that are one person become one, and can be taken apart again.

A merge moves rows, never seals them anew: they stay under the key of their first owner. The survivor keeps what it
says about itself; its gaps are filled from the other, and what was filled is kept beside the merge, so that a split
takes exactly that back. Anonymous visitors are taken over by customers/visitors.py, and split here like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from core.clock import from_micros, to_micros
from core.database import insert_ignore
from core.errors import ConflictError, InputError, NotFoundError
from core.vault import Vault
from customers.account_tables import account_member
from customers.merge_rows import MergeCause, MergeKind, NewMerge, record_merges
from customers.ownership import family_of, settle, survivor_of
from customers.profiles import COLUMN_ATTRIBUTES, Profile, check_attributes, load_profiles, set_attributes
from customers.tables import ProfileStatus, profile, profile_merge, static_list_member
from customers.touches import touch
from customers.workspace import Workspace

__all__ = ["MergeCause", "family_of", "list_merges", "merge", "split", "survivor_of"]

_DOCUMENT = "profile_merge.document"
_LONGEST_PROVIDER = 100


def merge(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    survivor_id: int,
    merged_id: int,
    *,
    cause: MergeCause | str,
    source: str,
    now: datetime,
) -> int:
    """Make `merged_id` part of `survivor_id`; answers the number of the merge, by which it can be undone.

    `source` says who decided. Raises InputError for a profile and itself, NotFoundError for one that is not there,
    ConflictError for one that is merged, erased or restricted.
    """
    if survivor_id == merged_id:
        raise InputError(f"profile {survivor_id} cannot be merged with itself: name two profiles.")
    rows = _lock(connection, (survivor_id, merged_id))
    for row in rows.values():
        _require_active(row)
    document = _give(connection, vault, workspace, rows[survivor_id], rows[merged_id], now)
    gone = {"status": ProfileStatus.MERGED, "merged_into": survivor_id, "updated_at": now}
    connection.execute(update(profile).where(profile.c.id == merged_id).values(**gone))
    settle(connection, (survivor_id, merged_id))
    derive_addresses(connection, vault, survivor_id, now)
    sealed = vault.seal_document(survivor_id, _DOCUMENT, document) if document else None
    new = NewMerge(survivor_id, merged_id, str(cause), source, sealed_document=sealed)
    return record_merges(connection, [new], now)[0]


def split(
    connection: Connection, vault: Vault, workspace: Workspace, merge_id: int, *, source: str, now: datetime
) -> int:
    """Undo a merge: each row goes back to whoever had it first; answers the number of the split.

    What the survivor learnt and did since stays with it; of what it was given, that goes back which is still the same.
    Raises NotFoundError for an unknown merge, ConflictError for one that is undone already or lies under a later one.
    """
    row = get_merge(connection, merge_id)
    rows = _lock(connection, (row.profile_id, row.merged_profile_id))
    _require_standing(connection, row, rows)
    back = {"status": ProfileStatus.ACTIVE, "merged_into": None, "updated_at": now}
    connection.execute(update(profile).where(profile.c.id == row.merged_profile_id).values(**back))
    settle(connection, (row.profile_id, row.merged_profile_id))
    document = vault.open_document(row.profile_id, _DOCUMENT, row.sealed_document)
    _take_back(connection, vault, workspace, row, document, now)
    for profile_id in (row.profile_id, row.merged_profile_id):
        derive_addresses(connection, vault, profile_id, now)
    new = NewMerge(row.profile_id, row.merged_profile_id, row.cause, source, MergeKind.SPLIT, splits=merge_id)
    return record_merges(connection, [new], now)[0]


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that stands."""

    id: int
    profile_id: int
    merged_profile_id: int
    cause: str
    source: str
    occurred_at: datetime


def list_merges(connection: Connection, *, limit: int = 100) -> list[Merge]:
    """The latest merges that stand, newest first, without those of anonymous visitors."""
    undone = select(profile_merge.c.splits).where(profile_merge.c.splits.is_not(None))
    columns = (profile_merge.c[name] for name in Merge.__slots__)
    query = select(*columns).where(
        profile_merge.c.kind == MergeKind.MERGE.value,
        profile_merge.c.cause != MergeCause.VISITOR.value,
        profile_merge.c.id.not_in(undone),
    )
    return [Merge(*row) for row in connection.execute(query.order_by(profile_merge.c.id.desc()).limit(limit))]


def get_merge(connection: Connection, merge_id: int) -> Row[Any]:
    """The row of a merge. Raises NotFoundError when there is none, or when the number is that of a split."""
    merges = (profile_merge.c.id == merge_id) & (profile_merge.c.kind == MergeKind.MERGE.value)
    row = connection.execute(select(profile_merge).where(merges)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no merge {merge_id}: see `postilion merges list --done`.")
    return row


def _lock(connection: Connection, profile_ids: tuple[int, int]) -> dict[int, Row[Any]]:
    """Both rows, held until the transaction ends, so that nobody else merges one of them meanwhile."""
    query = select(profile).where(profile.c.id.in_(profile_ids)).order_by(profile.c.id).with_for_update()
    rows = {row.id: row for row in connection.execute(query)}
    for profile_id in profile_ids:
        if profile_id not in rows:
            raise NotFoundError(f"there is no profile {profile_id}.")
    return rows


def _require_active(row: Row[Any]) -> None:
    match ProfileStatus(row.status):
        case ProfileStatus.MERGED:
            raise ConflictError(f"profile {row.id} is part of profile {row.merged_into} already: name that one.")
        case ProfileStatus.ERASED:
            raise ConflictError(f"profile {row.id} was erased: nothing is left of it that could be merged.")
        case ProfileStatus.RESTRICTED:
            raise ConflictError(f"the use of profile {row.id} is restricted: lift the restriction first.")


def _require_standing(connection: Connection, row: Row[Any], rows: Mapping[int, Row[Any]]) -> None:
    survivor, merged = rows[row.profile_id], rows[row.merged_profile_id]
    done = select(profile_merge.c.id).where(profile_merge.c.splits == row.id)
    if (split_id := connection.execute(done).scalar()) is not None:
        raise ConflictError(f"merge {row.id} is undone already, by split {split_id}.")
    if ProfileStatus.ERASED in (survivor.status, merged.status):
        raise ConflictError(f"merge {row.id} cannot be undone: the person was erased.")
    if survivor.status == ProfileStatus.RESTRICTED:
        raise ConflictError(f"the use of profile {survivor.id} is restricted: lift the restriction first.")
    if survivor.status == ProfileStatus.MERGED:
        later = select(profile_merge.c.id).where(profile_merge.c.merged_profile_id == survivor.id)
        later_id = connection.execute(later.order_by(profile_merge.c.id.desc()).limit(1)).scalar()
        raise ConflictError(f"merge {row.id} lies under a later one: undo merge {later_id} first.")


def _give(
    connection: Connection, vault: Vault, workspace: Workspace, survivor: Row[Any], merged: Row[Any], now: datetime
) -> dict[str, Any]:
    """Fill the survivor's gaps; answers what it was given, for the day on which it is taken back."""
    people = load_profiles(connection, vault, [survivor.id, merged.id])
    mine, theirs = _values(people[survivor.id]), _values(people[merged.id])
    gaps: dict[str, Any] = {}
    for name, value in theirs.items():
        if mine.get(name) is None:
            try:
                gaps |= check_attributes(workspace, {name: value})
            except InputError:  # workspace.yaml declares it otherwise by now: it stays where it is
                continue
    set_attributes(connection, vault, workspace, survivor.id, gaps, now)
    document: dict[str, Any] = {"attributes": gaps} if gaps else {}
    if merged.objected_at is not None and (survivor.objected_at is None or merged.objected_at < survivor.objected_at):
        document["objected_at"] = {
            "given": to_micros(merged.objected_at),
            "before": None if survivor.objected_at is None else to_micros(survivor.objected_at),
        }
        _object(connection, survivor.id, merged.objected_at, now)
    if lists := _copy_lists(connection, survivor.id, merged.id):
        document["lists"] = lists
    if accounts := _copy_accounts(connection, survivor.id, merged.id):
        document["accounts"] = accounts
    return document


def _take_back(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    row: Row[Any],
    document: Mapping[str, Any],
    now: datetime,
) -> None:
    survivor_id = row.profile_id
    given = document.get("attributes", {})
    if given:
        values = _values(load_profiles(connection, vault, [survivor_id])[survivor_id])
        same = {name: None for name, value in given.items() if values.get(name) == value}
        set_attributes(connection, vault, workspace, survivor_id, same, now)
    if objection := document.get("objected_at"):
        at = connection.execute(select(profile.c.objected_at).where(profile.c.id == survivor_id)).scalar_one()
        if at == from_micros(objection["given"]):
            before = objection["before"]
            _object(connection, survivor_id, None if before is None else from_micros(before), now)
    lists, accounts = static_list_member.c, account_member.c
    on_lists = lists.list.in_(document.get("lists", ())) & (lists.profile_id == survivor_id)
    connection.execute(delete(static_list_member).where(on_lists))
    in_accounts = accounts.account_id.in_(document.get("accounts", ())) & (accounts.profile_id == survivor_id)
    connection.execute(delete(account_member).where(in_accounts))


def _values(person: Profile) -> dict[str, Any]:
    columns = {name: getattr(person, name) for name in sorted(COLUMN_ATTRIBUTES)}
    return {name: value for name, value in {**person.attributes, **columns}.items() if value is not None}


def _object(connection: Connection, profile_id: int, at: datetime | None, now: datetime) -> None:
    statement = update(profile).where(profile.c.id == profile_id)
    connection.execute(statement.values(objected_at=at, updated_at=now))


def _copy_lists(connection: Connection, survivor_id: int, merged_id: int) -> list[str]:
    """Put the survivor on the other's lists; answers those that it was not on."""
    member = static_list_member.c
    rows = connection.execute(select(member.list, member.added_at).where(member.profile_id == merged_id)).all()
    copies = [{"list": row.list, "profile_id": survivor_id, "added_at": row.added_at} for row in rows]
    return sorted(name for (name,) in insert_ignore(connection, static_list_member, copies, returning=["list"]))


def _copy_accounts(connection: Connection, survivor_id: int, merged_id: int) -> list[int]:
    """Make the survivor a member of the other's companies; answers those of which it was none."""
    member = account_member.c
    columns = (member.account_id, member.role, member.since, member.until)
    rows = connection.execute(select(*columns).where(member.profile_id == merged_id)).all()
    copies = [{**row._mapping, "profile_id": survivor_id} for row in rows]
    return sorted(found for (found,) in insert_ignore(connection, account_member, copies, returning=["account_id"]))


def derive_addresses(connection: Connection, vault: Vault, profile_id: int, now: datetime) -> None:
    """Set anew what segments select by of somebody whose addresses came or went."""
    person = load_profiles(connection, vault, [profile_id])[profile_id]
    values = {
        "has_email": person.email is not None,
        "email_provider": person.email.domain[:_LONGEST_PROVIDER] if person.email else None,
        "has_phone": person.phone is not None,
        "phone_country": (person.phone.domain or None) if person.phone else None,
    }
    connection.execute(update(profile).where(profile.c.id == profile_id).values(**values, updated_at=now))
    touch(connection, [profile_id])
