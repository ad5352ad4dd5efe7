"""Giving the workspace key a new version and bringing everything under it, while nothing else runs.

The key file says first that the rotation was begun, and last that it is finished. In between every process refuses to
start, and whoever runs the rotation again after a crash goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from core.database import Database
from core.key_store import open_key_store
from core.key_use import alone_with_keys
from core.keys import WorkspaceKey, read_key_file, read_private, write_key_file
from core.kms import wrapping_of
from core.rewrap import rewrap_keys
from core.settings import Settings
from core.vault import Vault
from customers.reindex import iter_reindexing

Progress = Callable[[str, int, int], None]
"""Told what is being rewritten, how many of it are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The version that is in use now, and how many rows of each kind were brought under it."""

    version: int
    counts: Mapping[str, int]
    was_resumed: bool


def rotate_keys(settings: Settings, workspace: str, progress: Progress, *, only_finish: bool = False) -> Rotation:
    """Make a new version and bring everything under it, or finish what an interrupted rotation left.

    With `only_finish` no new version is made: what stands under older ones, as in a database that was restored from
    before a rotation, is brought under the current one. Raises EnvironmentFaultError while another process runs.
    """
    path = settings.key_path(workspace)
    read_private(path)
    with closing(open_key_store(settings.keys_database)) as store, alone_with_keys(store):
        wrapping = wrapping_of(settings, workspace)
        file = read_key_file(path, lambda: wrapping)
        was_resumed = file.pending is not None
        if not was_resumed and not only_finish:
            file = file.begun(wrapping)
            write_key_file(path, file)
            progress("begun", 0, 0)
        with closing(Database(settings.database)) as database:
            counts = bring_up_to_date(database, store, file.key_to_come, progress)
        if file.pending is not None:
            write_key_file(path, file.finished())
    return Rotation(file.key_to_come.current, counts, was_resumed)


def bring_up_to_date(database: Database, store: Database, key: WorkspaceKey, progress: Progress) -> Mapping[str, int]:
    """Rewrite whatever stands under an older version than the newest of `key`; answers the rows by kind.

    Nobody else may use the keys meanwhile: see `core.key_use`.
    """
    vault = Vault(key, store)
    vault.create_store()
    counts = {"data keys": rewrap_keys(store, key, partial(progress, "data keys"))}
    for table in iter_reindexing(database, vault):
        counts[table.title] = table.run(partial(progress, table.title))
    return counts
