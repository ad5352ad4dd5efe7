"""What a process holds while it runs: its settings, database, vault and clock, opened together and closed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock, SystemClock
from core.database import Database
from core.key_store import open_key_store
from core.key_use import sharing_keys
from core.keys import load_key, read_private
from core.kms import wrapping_of
from core.settings import Settings
from core.vault import Vault


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    database: Database
    vault: Vault
    clock: Clock


@contextmanager
def open_runtime(settings: Settings, workspace: str, clock: Clock | None = None) -> Iterator[Runtime]:
    """Open database and vault of `workspace`; raises EnvironmentFaultError with the way out when one is missing."""
    key_path = settings.key_path(workspace)
    read_private(key_path)  # before anything is made, the key has to be there
    store = open_key_store(settings.keys_database)
    with closing(store), sharing_keys(store):
        key = load_key(key_path, lambda: wrapping_of(settings, workspace))
        if settings.database.startswith("sqlite:///"):
            Path(settings.database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = Database(settings.database)
        with closing(database):
            vault = Vault(key, store)
            vault.create_store()
            yield Runtime(settings, database, vault, clock or SystemClock())
