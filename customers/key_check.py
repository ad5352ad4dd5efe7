"""Looking whether keys and sealed data belong together: what cannot be opened any more, and what should be gone.

Nothing is changed here. Everything is walked in batches; of sealed values a sample is opened, spread over all people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, func, select

from core.database import Database
from core.errors import NotFoundError, PermanentError
from core.key_store import data_key
from core.keys import WorkspaceKey
from core.vault import Vault
from core.wrapping import unwrap
from customers.reindex import count_old
from customers.tables import ProfileStatus, identity, profile

Progress = Callable[[str, int], None]

_BATCH = 5_000
_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """One question: `checked_count` were looked at, `count` of them are as `title` says. 0 is well.

    `is_wrong` is False for what is harmless; `way_out` says what to do otherwise.
    """

    title: str
    checked_count: int
    count: int
    way_out: str
    is_wrong: bool = True


def check_keys(database: Database, vault: Vault, key: WorkspaceKey, progress: Progress) -> list[KeyFinding]:
    """Every finding, also those that are well."""
    with database.read() as connection:
        return [
            *_check_data_keys(connection, vault.store, key, progress),
            _check_owners(connection, vault.store, progress),
            _check_sample(connection, vault, progress),
            KeyFinding(
                "addresses and attributes found under an older version of the key only",
                _count(connection, identity, identity.c.sealed.is_not(None)),
                count_old(connection, vault),
                "run `postilion keys rotate --finish` while nothing else runs.",
            ),
        ]


def list_erased(database: Database) -> list[int]:
    """The profiles that this database knows to be erased."""
    with database.read() as connection:
        return list(connection.scalars(select(profile.c.id).where(profile.c.status == ProfileStatus.ERASED)))


def _check_data_keys(
    connection: Connection, store: Database, key: WorkspaceKey, progress: Progress
) -> list[KeyFinding]:
    checked, shut, strange, late = 0, 0, 0, 0
    for rows in _iter_keys(store):
        numbers = [row.profile_id for row in rows]
        query = select(profile.c.id, profile.c.status).where(profile.c.id.in_(numbers))
        statuses = dict(connection.execute(query).tuples().all())
        shut += sum(not _opens(key, row) for row in rows)
        strange += sum(number not in statuses for number in numbers)
        late += sum(status == ProfileStatus.ERASED for status in statuses.values())
        checked += len(rows)
        progress("data keys", checked)
    restore = "put them back from a copy: `postilion keys restore FILE`."
    return [
        KeyFinding("data keys that the workspace key does not open", checked, shut, restore),
        KeyFinding(
            "data keys of people who were erased",
            checked,
            late,
            "an erasure was broken off: `postilion privacy erase` for these people, or start `postilion up`.",
        ),
        KeyFinding(
            "data keys without a profile",
            checked,
            strange,
            "harmless: a transaction that was broken off leaves its keys behind, and they seal nothing.",
            is_wrong=False,
        ),
    ]


def _check_owners(connection: Connection, store: Database, progress: Progress) -> KeyFinding:
    """Does everybody who has something sealed have a key?"""
    checked, without = 0, 0
    owners: Sequence[tuple[FromClause, Any, ColumnElement[bool]]] = (
        (profile, profile.c.id, profile.c.sealed_attributes.is_not(None)),
        (identity, func.coalesce(identity.c.origin_profile_id, identity.c.profile_id), identity.c.sealed.is_not(None)),
    )
    for table, owner, is_sealed in owners:
        for numbers in _iter_owners(connection, table, owner, is_sealed):
            without += len(numbers - _with_keys(store, numbers))
            checked += len(numbers)
            progress("people", checked)
    return KeyFinding(
        "sealed addresses and attributes whose data key is missing",
        checked,
        without,
        "put the keys back from a copy: `postilion keys restore FILE`.",
    )


def _check_sample(connection: Connection, vault: Vault, progress: Progress) -> KeyFinding:
    checked, shut = 0, 0
    for row in _sample(connection, identity, identity.c.sealed.is_not(None)):
        owner = row.origin_profile_id or row.profile_id
        shut += not _reads(partial(vault.open, owner, f"identity.{row.kind}", row.sealed))
        checked += 1
    for row in _sample(connection, profile, profile.c.sealed_attributes.is_not(None)):
        shut += not _reads(partial(vault.open_document, row.id, "profile.sealed_attributes", row.sealed_attributes))
        checked += 1
    progress("sealed values", checked)
    return KeyFinding(
        "sealed values, of a sample, that do not open",
        checked,
        shut,
        "database and key store are of different times or workspaces: check POSTILION_DATABASE_URL and "
        "POSTILION_KEYS_URL, then `postilion keys restore FILE`.",
    )


def _iter_keys(store: Database) -> Iterator[Sequence[Row[Any]]]:
    query = select(data_key).order_by(data_key.c.profile_id).limit(_BATCH)
    last = None
    while True:
        with store.read() as connection:
            rows = connection.execute(query if last is None else query.where(data_key.c.profile_id > last)).all()
        if not rows:
            return
        last = rows[-1].profile_id
        yield rows


def _iter_owners(connection: Connection, table: Any, owner: Any, is_sealed: Any) -> Iterator[set[int]]:
    query = select(table.c.id, owner.label("owner")).where(is_sealed).order_by(table.c.id).limit(_BATCH)
    last = None
    while rows := connection.execute(query if last is None else query.where(table.c.id > last)).all():
        last = rows[-1].id
        yield {row.owner for row in rows}


def _with_keys(store: Database, numbers: Collection[int]) -> set[int]:
    with store.read() as connection:
        query = select(data_key.c.profile_id).where(data_key.c.profile_id.in_(sorted(numbers)))
        return set(connection.scalars(query))


def _sample(connection: Connection, table: Any, is_sealed: Any) -> Iterator[Row[Any]]:
    """Some rows with something sealed, spread evenly over the ids."""
    highest = connection.execute(select(func.max(table.c.id))).scalar() or 0
    last = 0
    for step in range(_SAMPLE):
        start = max(highest * step // _SAMPLE, last)
        query = select(table).where(table.c.id > start, is_sealed).order_by(table.c.id).limit(1)
        row = connection.execute(query).one_or_none()
        if row is None:
            return
        last = row.id
        yield row


def _opens(key: WorkspaceKey, row: Row[Any]) -> bool:
    return row.key_version <= key.current and _reads(
        lambda: unwrap(key, row.key_version, str(row.profile_id), row.wrapped)
    )


def _reads(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except (PermanentError, NotFoundError):
        return False
    return True


def _count(connection: Connection, table: Any, condition: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one())
