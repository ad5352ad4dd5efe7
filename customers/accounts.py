"""Companies that customers belong to, and who plays which part when such a company buys.

The roles are those of the buying centre (F. E. Webster and Y. Wind, Organizational Buying Behavior, 1972, with the
initiator that was added to them since). An account is known by the shop's own key and holds nothing of a person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from core.database import batches, insert_ignore, upsert
from core.errors import InputError, NotFoundError
from customers.account_tables import account, account_member
from customers.tables import ProfileStatus, profile
from customers.touches import touch

_BATCH = 2_000
_MAX_KEY = 200
_MAX_NAME = 300


class Role(StrEnum):
    """What somebody does when the company buys."""

    INITIATOR = "initiator"
    USER = "user"
    INFLUENCER = "influencer"
    DECIDER = "decider"
    BUYER = "buyer"
    GATEKEEPER = "gatekeeper"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What is said of a company; what is left out (None) stays as it was."""

    key: str
    name: str | None = None
    country: str | None = None  # ISO 3166 alpha-2
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewMember:
    """Somebody belongs to a company from `since` on; a role that is left out stays as it was."""

    account_id: int
    profile_id: int
    role: Role | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    key: str
    name: str
    country: str | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Membership:
    account: Account
    profile_id: int
    role: Role | None
    since: datetime
    until: datetime | None


def check_key(text: str) -> str:
    """The shop's key of an account. Raises InputError."""
    key = text.strip()
    if not key or len(key) > _MAX_KEY or not key.isprintable():
        raise InputError(f"the key of an account has 1 to {_MAX_KEY} printable characters.")
    return key


def read_role(text: str) -> Role:
    """A role by its name, however it is written. Raises InputError with the names that there are."""
    try:
        return Role(text.strip().lower())
    except ValueError:
        raise InputError(f"{text!r} is no role in a buying centre: write one of {', '.join(Role)}.") from None


def upsert_accounts(connection: Connection, new: Sequence[NewAccount], now: datetime) -> dict[str, int]:
    """Make the accounts that are not there, and learn what is new of the others; answers their ids by key."""
    said: dict[str, NewAccount] = {}
    for one in new:
        before = said.get(one.key, one)
        said[one.key] = NewAccount(
            one.key,
            one.name or before.name,
            one.country or before.country,
            {**before.attributes, **one.attributes},
        )
    known = {row.key: row for row in _by_key(connection, list(said))}
    rows = [
        {
            "key": key,
            "name": (one.name or key)[:_MAX_NAME],
            "country": one.country,
            "attributes": dict(one.attributes),
            "created_at": now,
            "updated_at": now,
        }
        for key, one in said.items()
        if key not in known
    ]
    insert_ignore(connection, account, rows)
    changes = [change for key, row in known.items() if (change := _change(row, said[key])) is not None]
    if changes:
        statement = update(account).where(account.c.id == bindparam("b_id"))
        names = ("name", "country", "attributes")
        statement = statement.values({name: bindparam(f"b_{name}") for name in names} | {"updated_at": now})
        connection.execute(statement, changes)
        of_changed = account_member.c.account_id.in_([change["b_id"] for change in changes])
        touch(connection, connection.scalars(select(account_member.c.profile_id).where(of_changed)))
    return {row.key: row.id for row in _by_key(connection, list(said))}


def set_members(connection: Connection, members: Sequence[NewMember]) -> None:
    """Note who belongs to which company. One who left belongs to it again only from an instant after that."""
    said: dict[tuple[int, int], NewMember] = {}
    for one in sorted(members, key=lambda member: member.since):
        place = (one.account_id, one.profile_id)
        before = said.get(place, one)
        said[place] = NewMember(*place, one.role or before.role, before.since)
    rows: list[dict[str, Any]] = []
    for some in batches(list(said.values()), _BATCH):
        known = _standing(connection, some)
        for one in some:
            row = known.get((one.account_id, one.profile_id))
            values: dict[str, Any] = {
                "account_id": one.account_id,
                "profile_id": one.profile_id,
                "role": one.role,
                "until": None,
            }
            if row is None:
                rows.append({**values, "since": one.since})
            elif row.until is not None and one.since > row.until:
                rows.append({**values, "since": one.since, "role": one.role or row.role})
            elif one.role is not None and one.role != row.role and row.until is None:
                rows.append({**values, "since": row.since})
    upsert(connection, account_member, rows, key=["account_id", "profile_id"], update=["role", "since", "until"])
    touch(connection, {row["profile_id"] for row in rows})


def end_member(connection: Connection, account_id: int, profile_id: int, until: datetime) -> bool:
    """Note that somebody left the company; False when they were no member."""
    member = account_member.c
    standing = (member.account_id == account_id) & (member.profile_id == profile_id) & member.until.is_(None)
    touch(connection, [profile_id])
    return connection.execute(update(account_member).where(standing).values(until=until)).rowcount == 1


def accounts_of(
    connection: Connection, profile_ids: Collection[int], *, past: bool = False
) -> dict[int, list[Membership]]:
    """The companies of each of `profile_ids`; with `past` also those that they left."""
    found: dict[int, list[Membership]] = {}
    for some in batches(sorted(set(profile_ids)), _BATCH):
        for one in _memberships(connection, account_member.c.profile_id.in_(some), past=past):
            found.setdefault(one.profile_id, []).append(one)
    return found


def members_of(connection: Connection, account_id: int, *, past: bool = False) -> list[Membership]:
    """Who belongs to the company; with `past` also who did."""
    return _memberships(connection, account_member.c.account_id == account_id, past=past)


def find_accounts(connection: Connection, keys: Collection[str]) -> dict[str, Account]:
    """Those of `keys` that are there."""
    return {row.key: _account(row) for row in _by_key(connection, sorted(keys))}


def get_account(connection: Connection, key: str) -> Account:
    found = find_accounts(connection, [key])
    if key not in found:
        raise NotFoundError(f"there is no account {key!r}: see `postilion accounts list`.")
    return found[key]


def list_accounts(connection: Connection, *, after: str = "", limit: int = 100) -> list[Account]:
    """Accounts in the order of their keys, behind the key `after`."""
    query = select(account).where(account.c.key > after).order_by(account.c.key).limit(limit)
    return [_account(row) for row in connection.execute(query)]


def _by_key(connection: Connection, keys: Sequence[str]) -> list[Row[Any]]:
    rows: list[Row[Any]] = []
    for some in batches(keys, _BATCH):
        rows += connection.execute(select(account).where(account.c.key.in_(some)))
    return rows


def _change(row: Row[Any], said: NewAccount) -> dict[str, Any] | None:
    after = {
        "b_name": (said.name or row.name)[:_MAX_NAME],
        "b_country": said.country or row.country,
        "b_attributes": {**row.attributes, **said.attributes},
    }
    before = {"b_name": row.name, "b_country": row.country, "b_attributes": row.attributes}
    return None if after == before else {**after, "b_id": row.id}


def _standing(connection: Connection, members: Sequence[NewMember]) -> dict[tuple[int, int], Row[Any]]:
    member = account_member.c
    query = select(account_member).where(
        member.account_id.in_({one.account_id for one in members}),
        member.profile_id.in_({one.profile_id for one in members}),
    )
    return {(row.account_id, row.profile_id): row for row in connection.execute(query)}


def _memberships(connection: Connection, where: Any, *, past: bool) -> list[Membership]:
    member = account_member.c
    query = (
        select(account, member.profile_id, member.role, member.since, member.until)
        .join(account_member, member.account_id == account.c.id)
        .join(profile, profile.c.id == member.profile_id)
        .where(profile.c.status != ProfileStatus.MERGED.value)  # its survivor is a member instead
    )
    query = query.where(where) if past else query.where(where, member.until.is_(None))
    return [
        Membership(_account(row), row.profile_id, Role(row.role) if row.role else None, row.since, row.until)
        for row in connection.execute(query.order_by(member.since, member.profile_id, account.c.id))
    ]


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.key, row.name, row.country, row.attributes)
