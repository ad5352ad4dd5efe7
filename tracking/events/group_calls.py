"""Group calls: somebody belongs to a company. Makes the account and the membership beside the event that is logged.

Whoever holds a public key may name a company that nobody knows, but neither describe nor join one that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from core.errors import InputError
from customers.accounts import (
    NewAccount,
    NewMember,
    Role,
    check_key,
    find_accounts,
    read_role,
    set_members,
    upsert_accounts,
)
from customers.countries import find_country
from customers.tables import event_key
from tracking.events.event_mapping import snake_case
from tracking.events.event_spec import Call
from tracking.events.people import Trust

# Of a company nothing is kept that may be somebody's: no address, no number, no text that anybody typed at length.
_KEPT: Final = frozenset({"industry", "employees", "plan", "website"})
_MAX_VALUE: Final = 200

Remark = tuple[int, str]  # the place of a call in its batch, and what was passed over within it


@dataclass(frozen=True, slots=True)
class Joining:
    """One group call with its place in the batch, whom it is about, and the key of its event."""

    index: int
    call: Call
    key: str
    profile_id: int | None
    trust: Trust


def join_accounts(connection: Connection, calls: Sequence[Joining], now: datetime) -> list[Remark]:
    """Take those calls whose event is not logged yet; answers what was passed over within them."""
    if not calls:
        return []
    seen = set(connection.scalars(select(event_key.c.key).where(event_key.c.key.in_([one.key for one in calls]))))
    remarks: list[Remark] = []
    read: list[tuple[Joining, NewAccount, Role | None]] = []
    for one in calls:
        if one.key not in seen and one.call.group_id is not None:
            try:
                account = _account(one.call.group_id, one.call.traits)
            except InputError as error:
                remarks.append((one.index, str(error)))
            else:
                read.append((one, account, _role(one, remarks)))
    known = find_accounts(connection, {account.key for _, account, _ in read})
    read = [(one, account, role) for one, account, role in read if one.trust is Trust.FULL or account.key not in known]
    ids = upsert_accounts(connection, [account for _, account, _ in read], now)
    members = [
        NewMember(ids[account.key], one.profile_id, role, one.call.occurred_at)
        for one, account, role in read
        if one.profile_id is not None
    ]
    set_members(connection, members)
    return remarks


def _account(key: str, traits: Mapping[str, Any]) -> NewAccount:
    said = {snake_case(name): value for name, value in traits.items()}
    name, country = said.get("name"), said.get("country")
    address = said.get("address")
    if country is None and isinstance(address, Mapping):
        country = address.get("country")
    return NewAccount(
        key=check_key(str(key)),
        name=str(name).strip() or None if name is not None else None,
        country=find_country(str(country)) if country else None,
        attributes={word: value for word in sorted(_KEPT) if _is_plain(value := said.get(word))},
    )


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and 0 < len(value) <= _MAX_VALUE)


def _role(joining: Joining, remarks: list[Remark]) -> Role | None:
    said = joining.call.traits.get("role")
    if not said:
        return None
    try:
        return read_role(str(said))
    except InputError as error:
        remarks.append((joining.index, f"role: {error}"))
        return None
