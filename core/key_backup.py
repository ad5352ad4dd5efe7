"""Copies of the key store: made while everything runs, kept for at most 30 days, and put back without undoing an
erasure.

A copy is one SQLite file on either engine, with the wrapped keys and the journal of erasures. The keys of single days
are left out, because they must be gone within two days. Nothing in it opens without the workspace key.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Row, String, Table, delete, insert, inspect, select, text
from sqlalchemy.exc import DatabaseError

from core.columns import Instant
from core.database import Database, batches, upsert
from core.erasures import read_erasures
from core.errors import InputError, NotFoundError, PermanentError
from core.key_store import data_key, erasure, key_metadata, open_key_store
from core.keys import WorkspaceKey
from core.wrapping import unwrap

Progress = Callable[[int, int | None], None]

KEPT = timedelta(days=30)
_BATCH = 5_000
_NAME = re.compile(r"postilion-keys-(?P<workspace>.+)-(?P<at>\d{8}T\d{6}Z)\.db")
_AT = "%Y%m%dT%H%M%SZ"

_copy_metadata = MetaData()
_about = Table(
    "about",
    _copy_metadata,
    Column("workspace", String(100), primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),  # of that version of the workspace key
)


@dataclass(frozen=True, slots=True)
class KeyBackup:
    """The copy that was made, how many keys it holds, and older copies that were deleted."""

    file: Path
    key_count: int
    deleted: Sequence[Path]


@dataclass(frozen=True, slots=True)
class KeyRestore:
    """What became of the keys of a copy. `erased` were left out because their owners were erased."""

    restored_count: int
    present_count: int
    erased_count: int


def back_up_keys(
    store: Database, key: WorkspaceKey, workspace: str, folder: Path, now: datetime, progress: Progress
) -> KeyBackup:
    """Copy `store` into a new dated file of mode 0600 in `folder`, and delete our copies there that are too old.

    Keys are made and destroyed, never changed, so short readings one after the other lose nothing and stop nobody.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"postilion-keys-{workspace}-{now.astimezone(UTC).strftime(_AT)}.db"
    temporary = folder / f".{file.name}.new"
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(open_key_store(f"sqlite:///{temporary}")) as copy:
            key_count = _copy(store, copy, progress)
            about = {
                "workspace": workspace,
                "made_at": now,
                "key_version": key.current,
                "fingerprint": key.fingerprint(key.current),
            }
            with copy.transaction() as connection:
                connection.execute(insert(_about).values(**about))
        _sync(temporary)
        temporary.replace(file)
        _sync(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return KeyBackup(file, key_count, _delete_old(folder, workspace, now))


def restore_keys(
    store: Database,
    key: WorkspaceKey,
    workspace: str,
    file: Path,
    progress: Progress,
    *,
    also_erased: Collection[int] = (),
) -> KeyRestore:
    """Put back the keys of `file` that `store` lacks or cannot open; what is there and opens is newer, and stays.

    Whoever was erased stays erased, by the journal of the store, by that of the copy, and by `also_erased`. Doing it
    again changes nothing. Raises InputError for a file that is no copy of this workspace's keys.
    """
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}.")
    with closing(open_key_store(f"sqlite:///{file}")) as copy:
        _check(copy, key, workspace, file)
        _take_over_erasures(copy, store)
        erased = {number for one in read_erasures(store) for number in one.profile_ids}.union(also_erased)
        with store.transaction() as connection:
            for some in batches(sorted(erased), _BATCH):
                connection.execute(delete(data_key).where(data_key.c.profile_id.in_(some)))
        return _put_back(copy, store, key, erased, progress)


def _copy(store: Database, copy: Database, progress: Progress) -> int:
    with copy.transaction() as connection:
        key_metadata.create_all(connection)
        _copy_metadata.create_all(connection)
    done = 0
    last = None
    while rows := _keys_after(store, last):
        with copy.transaction() as connection:
            connection.execute(insert(data_key), [dict(row._mapping) for row in rows])
        last = rows[-1].profile_id
        done += len(rows)
        progress(done, None)
    # Last, so that a key whose owner was erased meanwhile is known as such.
    _take_over_erasures(store, copy)
    with copy.transaction() as connection:
        for one in read_erasures(copy):
            connection.execute(delete(data_key).where(data_key.c.profile_id.in_(one.profile_ids)))
    return done


def _keys_after(store: Database, last: int | None) -> Sequence[Row[Any]]:
    query = select(data_key).order_by(data_key.c.profile_id).limit(_BATCH)
    with store.read() as connection:
        return connection.execute(query if last is None else query.where(data_key.c.profile_id > last)).all()


def _take_over_erasures(source: Database, target: Database) -> None:
    """Add the erasures that `target` does not know, under their own numbers where these are free."""
    with source.read() as connection:
        rows = connection.execute(select(erasure).order_by(erasure.c.no)).all()
    with target.transaction() as connection:
        known = connection.execute(select(erasure)).all()
        numbers, whose = {row.no for row in known}, {row.profile_ids for row in known}
        new = [dict(row._mapping) for row in rows if row.profile_ids not in whose]
        for row in sorted(new, key=lambda row: row["no"] in numbers):
            if row["no"] in numbers:
                del row["no"]
            connection.execute(insert(erasure).values(**row))
            if not target.is_sqlite:
                connection.execute(text(_COUNT_ON))


_COUNT_ON = """
SELECT setval(pg_get_serial_sequence('keys.erasure', 'no'), (SELECT max(no) FROM keys.erasure))
"""


def _check(copy: Database, key: WorkspaceKey, workspace: str, file: Path) -> None:
    try:
        with copy.read() as connection:
            tables = inspect(connection).get_table_names()
            about = connection.execute(select(_about)).one_or_none() if "about" in tables else None
    except (DatabaseError, sqlite3.DatabaseError):
        about = None
    if about is None:
        raise InputError(f"{file} is no copy of a key store: name one that `postilion keys backup` made.")
    if about.workspace != workspace:
        raise InputError(f"{file} holds the keys of the workspace {about.workspace!r}, and this is {workspace!r}.")
    if about.key_version > key.current or key.fingerprint(about.key_version) != about.fingerprint:
        raise InputError(
            f"{file} was made with another workspace key: restore the key file that belongs to it first, "
            "and compare its fingerprint by `postilion keys show`."
        )


def _put_back(
    copy: Database, store: Database, key: WorkspaceKey, erased: Collection[int], progress: Progress
) -> KeyRestore:
    counts = {"restored": 0, "present": 0, "erased": 0}
    last, done = None, 0
    while rows := _keys_after(copy, last):
        last, done = rows[-1].profile_id, done + len(rows)
        wanted = {row.profile_id: row for row in rows if row.profile_id not in erased}
        with store.transaction() as connection:
            there = connection.execute(select(data_key).where(data_key.c.profile_id.in_(list(wanted)))).all()
            sound = {row.profile_id for row in there if _opens(key, row)}
            missing = [dict(row._mapping) for number, row in wanted.items() if number not in sound]
            upsert(connection, data_key, missing, key=["profile_id"], update=["key_version", "wrapped"])
        counts["restored"] += len(missing)
        counts["present"] += len(sound)
        counts["erased"] += len(rows) - len(wanted)
        progress(done, None)
    return _restore_of(counts)


def _restore_of(counts: Mapping[str, int]) -> KeyRestore:
    return KeyRestore(counts["restored"], counts["present"], counts["erased"])


def _opens(key: WorkspaceKey, row: Row[Any]) -> bool:
    if row.key_version > key.current:
        return False
    try:
        unwrap(key, row.key_version, str(row.profile_id), row.wrapped)
    except PermanentError:
        return False
    return True


def _delete_old(folder: Path, workspace: str, now: datetime) -> list[Path]:
    """Delete our copies of this workspace's keys that are older than they may be, by the date in their names."""
    deleted = []
    for file in sorted(folder.iterdir()):
        named = _NAME.fullmatch(file.name)
        if named is None or named["workspace"] != workspace:
            continue
        if datetime.strptime(named["at"], _AT).replace(tzinfo=UTC) < now - KEPT:
            file.unlink()
            deleted.append(file)
    return deleted


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
