"""Static lists: people who were put on one by hand or by a file, and stay there until they are taken off.

What a list is called stands in `lists/NAME.yaml`; who is on it stands only here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete

from core.database import batches, insert_ignore
from core.definitions import list_definitions
from customers.tables import static_list_member
from customers.touches import touch

KIND = "list"

_BATCH = 5_000


def list_names(connection: Connection) -> frozenset[str]:
    """The lists that are published."""
    return frozenset(published.slug for published in list_definitions(connection, KIND))


def add_to_list(
    connection: Connection, name: str, profile_ids: Sequence[int], now: datetime, *, batch_id: int | None = None
) -> list[int]:
    """Put people on a list; answers those who were not on it. `batch_id` is the import that says so."""
    rows = [
        {"list": name, "profile_id": number, "added_at": now, "batch_id": batch_id}
        for number in dict.fromkeys(profile_ids)
    ]
    new = [number for (number,) in insert_ignore(connection, static_list_member, rows, returning=["profile_id"])]
    touch(connection, new)
    return new


def remove_from_list(connection: Connection, name: str, profile_ids: Sequence[int]) -> list[int]:
    """Take people off a list; answers those who were on it."""
    member = static_list_member.c
    gone: list[int] = []
    for some in batches(sorted(set(profile_ids)), _BATCH):
        statement = delete(static_list_member).where(member.list == name, member.profile_id.in_(some))
        gone += connection.execute(statement.returning(member.profile_id)).scalars()
    touch(connection, gone)
    return gone
