"""What a process holds while it runs: its settings, database, vault and clock, opened together and closed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock, SystemClock
from core.database import Database
from core.keys import load_key
from core.settings import Settings
from core.vault import Vault, open_key_store


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    database: Database
    vault: Vault
    clock: Clock


@contextmanager
def open_runtime(settings: Settings, workspace: str, clock: Clock | None = None) -> Iterator[Runtime]:
    """Open database and vault of `workspace`; raises EnvironmentFaultError with the way out when one is missing."""
    key = load_key(settings.key_path(workspace))
    if settings.database.startswith("sqlite:///"):
        Path(settings.database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    vault = Vault(key, open_key_store(settings.keys_database))
    try:
        vault.create_store()
        yield Runtime(settings, database, vault, clock or SystemClock())
    finally:
        vault.close()
        database.close()
