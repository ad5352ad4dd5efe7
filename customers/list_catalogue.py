"""The static lists there are: how many people are on each, where it comes from, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from core.database import upsert
from customers.lists import list_names, remove_from_list
from customers.tables import frozen_list, static_list_member


@dataclass(frozen=True, slots=True)
class FrozenFrom:
    """The segment whose members at `as_of` were put on a list at `frozen_at`."""

    segment: str
    version: int
    as_of: datetime
    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class StaticList:
    """`is_published` tells that there is a file of it, so that conditions can name it."""

    name: str
    members: int
    last_added_at: datetime | None
    is_published: bool
    frozen: FrozenFrom | None


def read_lists(connection: Connection) -> list[StaticList]:
    """Every list that is published or has somebody on it, by name."""
    member = static_list_member.c
    counted = select(member.list, func.count(), func.max(member.added_at)).group_by(member.list)
    sizes = {name: (count, last) for name, count, last in connection.execute(counted).tuples()}
    published = list_names(connection)
    origins = {
        row.list: FrozenFrom(row.segment, row.version, row.as_of, row.frozen_at)
        for row in connection.execute(select(frozen_list))
    }
    return [
        StaticList(name, *sizes.get(name, (0, None)), name in published, origins.get(name))
        for name in sorted(published | set(sizes))
    ]


def count_on_list(connection: Connection, name: str) -> int:
    query = select(func.count()).select_from(static_list_member).where(static_list_member.c.list == name)
    return connection.scalar(query) or 0


def drop_list(connection: Connection, name: str) -> int:
    """Take everybody off a list; answers how many. Its file, where there is one, stays."""
    ids = connection.scalars(select(static_list_member.c.profile_id).where(static_list_member.c.list == name)).all()
    connection.execute(delete(frozen_list).where(frozen_list.c.list == name))
    return len(remove_from_list(connection, name, ids))


def note_origin(connection: Connection, name: str, origin: FrozenFrom) -> None:
    """Remember from which segment a list was frozen."""
    row = {
        "list": name,
        "segment": origin.segment,
        "version": origin.version,
        "as_of": origin.as_of,
        "frozen_at": origin.frozen_at,
    }
    upsert(connection, frozen_list, [row], key=["list"], update=["segment", "version", "as_of", "frozen_at"])
