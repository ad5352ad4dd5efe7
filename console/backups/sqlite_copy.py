"""Copies of an SQLite database: one made while others write, and one that takes the database's place in one step."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from console.backups.archive import sync_folder
from core.errors import EnvironmentFaultError, InputError

_PAGES = 2_000  # a step: eight megabytes
_SIDE_FILES = ("-wal", "-shm", "-journal")

Progress = Callable[[int, int | None], None]


def copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Write the state of this moment to `target`, by SQLite's online backup.

    The read transaction holds that state for all steps: writers go on meanwhile and start nothing anew, because in
    write-ahead mode neither waits for the other.
    """
    with closing(_connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        target.chmod(0o600)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=_PAGES, sleep=0, progress=lambda _status, left, all_: progress(all_ - left, all_))
        reader.execute("ROLLBACK")
        # One file without companions: what reads it need not be able to write beside it.
        writer.execute("PRAGMA journal_mode=DELETE")


def count_rows(file: Path, tables: Sequence[str]) -> Mapping[str, int]:
    with closing(_connect(file)) as connection:
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}


def read_revision(file: Path) -> str:
    """The revision of the schema in `file`."""
    with closing(_connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def check_whole(file: Path) -> None:
    """Raise InputError when SQLite finds `file` damaged."""
    try:
        with closing(_connect(file)) as connection:
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise InputError(f"the database in the backup is damaged ({said}): use another backup.")


@contextmanager
def holding_alone(database: Path) -> Iterator[None]:
    """Keep everybody out of `database` while the block runs, with everything that was written in its one file.

    Raises EnvironmentFaultError when somebody has it open. One that is damaged is held by nobody.
    """
    if not database.exists():
        yield
        return
    with closing(_connect(database)) as connection:
        try:
            # Leaving write-ahead mode works for the only connection there is, and empties the log into the file.
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise EnvironmentFaultError(
                    f"another program has the database {database} open: end it, then restore again."
                ) from None
            raise
        except sqlite3.DatabaseError:
            pass  # no database any more: it is kept aside as it is
        yield


def take_place(new: Path, database: Path, aside: Path) -> None:
    """Put `new` in the place of `database`, which stays as `aside`: whoever looks finds the one or the other."""
    for ending in _SIDE_FILES:  # left only by a database that is damaged
        with suppress(FileNotFoundError):
            Path(f"{database}{ending}").rename(f"{aside}{ending}")
    if database.exists():
        try:
            os.link(database, aside)
        except OSError:  # a file system without hard links
            shutil.copy2(database, aside)
    new.replace(database)
    sync_folder(database.parent)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=5, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    return connection
