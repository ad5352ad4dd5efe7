"""Puts a backup in the place of the database: all of it or nothing of it, and nothing goes out of it unasked.

What was erased since the backup is erased again before anybody else can look, and everything is paused, because the
restored ledger does not know what was sent since. The database that stood there is kept aside as a file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import migrations
from console.backups import postgresql_dump, sqlite_copy
from console.backups.archive import Manifest, read_manifest, unpack
from console.backups.make import VERSION_TABLE, backup_name, count_keys, write_backup
from console.backups.mark import highest_id, mark_statements, postgresql_statements, sqlite_statements
from console.rights.replay import replay_erasures
from core.clock import Clock
from core.database import Database
from core.errors import EnvironmentFaultError, InputError
from core.key_store import open_key_store
from core.key_use import alone_with_keys
from core.keys import load_key, read_private
from core.kms import wrapping_of
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from customers.reindex import count_old, iter_reindexing
from migrations.tables import metadata

_LOCK_TIMEOUT = "20s"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `aside` is the database that stood there before, None where there was none."""

    manifest: Manifest
    restored_at: datetime
    aside: Path | None
    erased_again: int


def restore_backup(settings: Settings, workspace: str, file: Path, clock: Clock) -> Restored:
    """Restore `file`. Raises EnvironmentFaultError while anything of this workspace runs, InputError for a wrong file.

    Killed at any point it leaves the database that was there or the restored one, which is paused from its first
    moment on; running it again completes it.
    """
    manifest = read_manifest(file)
    with _alone(settings, workspace, clock) as runtime:
        now = clock.now()
        _check(manifest, file, workspace, runtime)
        put_back = _restore_sqlite if runtime.database.is_sqlite else _restore_postgresql
        aside, erased_again = put_back(runtime, file, manifest, now)
    return Restored(manifest, now, aside, erased_again)


@contextmanager
def _alone(settings: Settings, workspace: str, clock: Clock) -> Iterator[Runtime]:
    """A runtime that no other process has at the same time."""
    key_path = settings.key_path(workspace)
    read_private(key_path)
    store = open_key_store(settings.keys_database)
    with closing(store), alone_with_keys(store):
        vault = Vault(load_key(key_path, lambda: wrapping_of(settings, workspace)), store)
        vault.create_store()
        with closing(Database(settings.database)) as database:
            yield Runtime(settings, database, vault, clock)


def _check(manifest: Manifest, file: Path, workspace: str, runtime: Runtime) -> None:
    engine = runtime.database.engine.dialect.name
    if manifest.workspace != workspace:
        raise InputError(f"{file} is a backup of {manifest.workspace!r}, and this project is {workspace!r}.")
    if manifest.engine != engine:
        raise InputError(f"{file} comes from {manifest.engine} and cannot be restored into {engine}.")
    known = {script.revision for script in ScriptDirectory(str(migrations.FOLDER)).walk_revisions()}
    if manifest.revision not in known:
        raise InputError(f"{file} was made by a newer Postilion (schema {manifest.revision}): update this one first.")
    if manifest.key_count and not count_keys(runtime.vault):
        raise EnvironmentFaultError(
            "the key store is empty, so nothing sealed in the backup could be read: "
            "put it back first with `postilion keys restore`."
        )


def _restore_sqlite(runtime: Runtime, file: Path, manifest: Manifest, now: datetime) -> tuple[Path | None, int]:
    """Everything is done to a file beside the database, which takes its place in one step at the very end."""
    assert runtime.database.url.database is not None  # Settings make it a file
    live = Path(runtime.database.url.database)
    with _workshop(live.parent) as folder:
        new = folder / live.name
        unpack(file, new)
        sqlite_copy.check_whole(new)
        migrations.upgrade(f"sqlite:///{new}")
        with closing(Database(f"sqlite:///{new}")) as database:
            with database.transaction() as connection:
                for statement in (
                    *mark_statements(manifest.made_at, now),
                    *sqlite_statements(highest_id(runtime.vault.store)),
                ):
                    connection.exec_driver_sql(statement)
            _follow_rotation(database, runtime.vault)
            erased_again = replay_erasures(replace(runtime, database=database), now)
        aside = _free_name(live, now) if live.exists() else None
        with sqlite_copy.holding_alone(new):  # folds the write-ahead log into the one file that is moved
            pass
        with sqlite_copy.holding_alone(live):
            sqlite_copy.take_place(new, live, aside or live)
    return aside, erased_again


def _restore_postgresql(runtime: Runtime, file: Path, manifest: Manifest, now: datetime) -> tuple[Path | None, int]:
    """Tables, pause and everything else that must be true from the first moment on come by one transaction."""
    settings, database = runtime.settings, runtime.database
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with database.engine.connect() as connection:
        stands = inspect(connection).has_table(VERSION_TABLE)
    aside = settings.state_folder / backup_name(manifest.workspace, now, "before-restore-") if stands else None
    if aside is not None:
        write_backup(runtime, manifest.workspace, aside, now)
    with _workshop(settings.state_folder) as folder:
        copy = folder / "database"
        unpack(file, copy)
        database.close()
        tables = ", ".join(f'{postgresql_dump.SCHEMA}."{name}"' for name in [*metadata.tables, VERSION_TABLE])
        after = [*mark_statements(manifest.made_at, now), *postgresql_statements(highest_id(runtime.vault.store))]
        postgresql_dump.restore(
            settings,
            database.url,
            copy,
            before=f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'; DROP TABLE IF EXISTS {tables} CASCADE;",
            after=";\n".join([f"SET LOCAL search_path TO {postgresql_dump.SCHEMA}", *after]) + ";",
        )
    migrations.upgrade(settings.database)
    _follow_rotation(runtime.database, runtime.vault)
    return aside, replay_erasures(runtime, now)


def _follow_rotation(database: Database, vault: Vault) -> None:
    """A backup from before the key was rotated finds addresses under the version of then."""
    with database.read() as connection:
        is_behind = count_old(connection, vault) > 0
    for table in iter_reindexing(database, vault) if is_behind else ():
        table.run(lambda _done, _total: None)


@contextmanager
def _workshop(parent: Path) -> Iterator[Path]:
    """A folder beside the database, empty at first; what a killed run left in it is gone."""
    folder = parent / ".restoring"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_name(live: Path, now: datetime) -> Path:
    """`postilion-before-restore-20260610T080000Z.db`, with a number where that is taken."""
    base = f"{live.stem}-before-restore-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    aside, number = live.with_name(base + live.suffix), 1
    while aside.exists():
        number += 1
        aside = live.with_name(f"{base}-{number}{live.suffix}")
    return aside
