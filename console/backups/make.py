"""Makes a backup while everything runs, and keeps as many as somebody wants to keep.

It holds one consistent moment of the database and no keys, and does not lie beside the keys either: whoever has both
could read what was erased since.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select, text

from console.backups import postgresql_dump, sqlite_copy
from console.backups.archive import Manifest, hash_file, write_archive
from console.backups.sqlite_copy import Progress
from core.errors import ConflictError, InputError
from core.key_store import data_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from migrations.tables import metadata

VERSION_TABLE = "alembic_version"
_ENDING = ".backup.tar"
_COUNTED = ("profile", "consent_entry", "suppression", "customer_event", "customer_order", "message", "enrolment")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made. `deleted` are older ones that made room."""

    file: Path
    size: int  # bytes
    manifest: Manifest
    deleted: tuple[Path, ...] = ()


def make_backup(
    runtime: Runtime, workspace: str, target: Path, progress: Progress, *, keep: int | None = None
) -> Backup:
    """Back up to `target`: a new `.tar` file, or a folder, in which the file is called after the moment.

    With `keep`, all but the newest so many of that folder's backups of this workspace are deleted.
    """
    now = runtime.clock.now()
    if target.suffix != ".tar" and not target.exists() and target.parent.is_dir():
        target.mkdir(mode=0o700)
    file = target / backup_name(workspace, now) if target.is_dir() else target
    if keep is not None and (keep < 1 or file == target):
        raise InputError("--keep counts the backups in a folder, at least 1: name a folder that is there.")
    if file.exists():
        raise ConflictError(f"{file} is there already: name another file, or a folder.")
    if not file.parent.is_dir():
        raise InputError(f"the folder {file.parent} is not there: make it, and let nobody else read it.")
    _check_apart(runtime.settings, workspace, file)
    manifest = write_backup(runtime, workspace, file, now, progress)
    deleted = _make_room(file.parent, workspace, keep) if keep is not None else ()
    return Backup(file, file.stat().st_size, manifest, tuple(deleted))


def write_backup(
    runtime: Runtime, workspace: str, file: Path, now: datetime, progress: Progress = lambda _done, _all: None
) -> Manifest:
    """Write the database as it stands to `file`."""
    with TemporaryDirectory(prefix=".backup-", dir=file.parent) as folder:
        copy = Path(folder) / "database"
        take = _copy_sqlite if runtime.database.is_sqlite else _dump_postgresql
        revision, counts = take(runtime, copy, progress)
        manifest = Manifest(
            workspace=workspace,
            made_at=now,
            revision=revision,
            engine=runtime.database.engine.dialect.name,
            counts=counts,
            key_count=count_keys(runtime.vault),
            sha256=hash_file(copy),
        )
        write_archive(file, copy, manifest)
    return manifest


def backup_name(workspace: str, at: datetime, what: str = "") -> str:
    """`shop-20260610T080000Z.backup.tar`: the names sort by time."""
    return f"{workspace}-{what}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{_ENDING}"


def count_keys(vault: Vault) -> int:
    with vault.store.read() as connection:
        return connection.execute(select(func.count()).select_from(data_key)).scalar_one()


def _copy_sqlite(runtime: Runtime, copy: Path, progress: Progress) -> tuple[str, dict[str, int]]:
    assert runtime.database.url.database is not None  # Settings make it a file
    sqlite_copy.copy_database(Path(runtime.database.url.database), copy, progress)
    return sqlite_copy.read_revision(copy), dict(sqlite_copy.count_rows(copy, _COUNTED))


def _dump_postgresql(runtime: Runtime, copy: Path, _progress: Progress) -> tuple[str, dict[str, int]]:
    """Dump and counts see the same moment."""
    database = runtime.database
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        revision: str = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one()
        counts = {
            name: connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
            for name in _COUNTED
        }
        postgresql_dump.dump(connection, runtime.settings, database.url, [*metadata.tables, VERSION_TABLE], copy)
    copy.chmod(0o600)
    return revision, counts


def _check_apart(settings: Settings, workspace: str, file: Path) -> None:
    keys = [settings.key_path(workspace)]
    if settings.keys_database.startswith("sqlite:///"):
        keys.append(Path(settings.keys_database.removeprefix("sqlite:///")))
    for key in keys:
        if file.resolve().is_relative_to(key.resolve().parent):
            raise InputError(
                f"{file.parent} is where the keys are kept ({key}), and whoever has both can read what was erased "
                "since: keep backups in another place."
            )


def _make_room(folder: Path, workspace: str, keep: int) -> Sequence[Path]:
    is_ours = re.compile(re.escape(workspace) + r"-\d{8}T\d{6}Z" + re.escape(_ENDING))
    backups = sorted(path for path in folder.iterdir() if is_ours.fullmatch(path.name))
    too_many = backups[:-keep]
    for path in too_many:
        with suppress(FileNotFoundError):
            path.unlink()
    return too_many
