"""Wrapping every data key anew, under the current version of the workspace key.

What the data keys seal is not touched: that is why a rotation is quick. Each batch is one transaction, and a key that
is current already is passed over, so that whoever was interrupted begins again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, bindparam, func, select, update

from core.database import Database
from core.day_keys import wrapped_name
from core.key_store import data_key, day_key
from core.keys import WorkspaceKey
from core.wrapping import unwrap, wrap

Progress = Callable[[int, int], None]
"""Told after each batch: how many of how many."""

_BATCH = 2_000
_NAMES: tuple[tuple[Table, str, Callable[[int], str]], ...] = (
    (data_key, "profile_id", str),
    (day_key, "day", wrapped_name),
)


def rewrap_keys(store: Database, key: WorkspaceKey, progress: Progress) -> int:
    """Wrap the keys in `store` under the newest version of `key`; answers how many were not.

    Raises PermanentError when one does not open.
    """
    done, total = 0, _count(store, key)
    for table, column, name_of in _NAMES:
        last = None
        while True:
            last, count = _rewrap_some(store, key, table, table.c[column], name_of, last)
            if not count:
                break
            done += count
            progress(done, total)
    return done


def _rewrap_some(
    store: Database, key: WorkspaceKey, table: Table, number: Any, name_of: Callable[[int], str], last: int | None
) -> tuple[int | None, int]:
    """One batch after `last`; answers where it ended and how many it wrapped anew."""
    query = select(number.label("number"), table.c.key_version, table.c.wrapped)
    query = query.where(table.c.key_version != key.current).order_by(number).limit(_BATCH)
    with store.transaction() as connection:
        rows = connection.execute(query if last is None else query.where(number > last)).all()
        if not rows:
            return last, 0
        connection.execute(
            update(table)
            .where(number == bindparam("its_number"))
            .values(key_version=key.current, wrapped=bindparam("new")),
            [
                {
                    "its_number": row.number,
                    "new": wrap(
                        key,
                        name_of(row.number),
                        unwrap(key, row.key_version, name_of(row.number), row.wrapped),
                    ),
                }
                for row in rows
            ],
        )
    return rows[-1].number, len(rows)


def _count(store: Database, key: WorkspaceKey) -> int:
    with store.read() as connection:
        return sum(
            connection.execute(select(func.count()).where(table.c.key_version != key.current)).scalar_one()
            for table, _, _ in _NAMES
        )
