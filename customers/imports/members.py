"""Rows about customers that also name their company: the account is made or renamed, the customer is its member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches
from core.errors import InputError
from customers.account_tables import account_member
from customers.accounts import NewAccount, NewMember, check_key, read_role, set_members, upsert_accounts
from customers.identities import Resolved
from customers.imports import values
from customers.imports.changes import note_members
from customers.imports.job import Job, Outcome
from customers.imports.values import RefusedError

_LOOKUP_BATCH = 5_000


def read_account_key(cell: Any) -> str | None:
    word = values.text(cell)
    try:
        return check_key(word) if word is not None else None
    except InputError:
        raise RefusedError("wrong_account") from None


def read_account_role(cell: Any) -> str | None:
    word = values.text(cell)
    try:
        return read_role(word).value if word is not None else None
    except InputError:
        raise RefusedError("wrong_account_role") from None


def record_members(
    connection: Connection,
    job: Job,
    accounts: Sequence[Mapping[str, Any]],
    resolved: Sequence[Resolved],
    outcome: Outcome,
) -> set[int]:
    """Write the companies of a batch and who belongs to them; answers the places of rows that said something new.

    A company without a key of its own is known by its name. Of two rows about one membership the later one counts.
    """
    said: dict[str, NewAccount] = {}
    members: dict[tuple[str, int], tuple[str | None, int]] = {}  # role and place
    for place, (cells, one) in enumerate(zip(accounts, resolved, strict=True)):
        key = cells.get("account") or cells.get("account_name")
        if key is None or one.profile_id is None:
            continue
        before = said.get(key)
        said[key] = NewAccount(key, cells.get("account_name") or (before.name if before else None))
        members[key, one.profile_id] = (cells.get("account_role"), place)
    if not members:
        return set()
    ids = upsert_accounts(connection, list(said.values()), job.now)
    known = _roles(connection, [profile_id for _, profile_id in members])
    new: list[NewMember] = []
    places: set[int] = set()
    for (key, profile_id), (role, place) in members.items():
        pair = (ids[key], profile_id)
        if pair in known and role in (None, known[pair]):
            continue
        new.append(NewMember(ids[key], profile_id, read_role(role) if role else None, job.now))
        places.add(place)
    set_members(connection, new)
    changes = {
        (one.account_id, one.profile_id): (
            [known[pair]] if (pair := (one.account_id, one.profile_id)) in known else None,
            [one.role],
        )
        for one in new
    }
    note_members(connection, job.vault, job.batch_id, changes)
    outcome.details["account_members"] += len(new)
    return places


def _roles(connection: Connection, profile_ids: Sequence[int]) -> dict[tuple[int, int], str | None]:
    """The role of every membership that stands, by account and profile."""
    member = account_member.c
    standing = select(member.account_id, member.profile_id, member.role).where(member.until.is_(None))
    found: dict[tuple[int, int], str | None] = {}
    for some in batches(sorted(set(profile_ids)), _LOOKUP_BATCH):
        rows = connection.execute(standing.where(member.profile_id.in_(some)))
        found.update(((account_id, profile_id), role) for account_id, profile_id, role in rows)
    return found
