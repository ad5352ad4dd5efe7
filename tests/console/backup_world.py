"""A town whose database can be lost: its keys, its project and its backups lie apart, as on a real machine."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from console.backups.make import Backup, make_backup
from console.backups.restore import Restored, restore_backup
from console.backups.review import Review, review
from core.clock import ManualClock
from core.database import Database
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.tables import customer_event, identity, profile
from delivery.tables import message
from tests.journeys.town import Town, at

KEY = bytes(range(32))


@dataclass
class World:
    town: Town
    settings: Settings
    clock: ManualClock
    backups: Path

    @property
    def runtime(self) -> Runtime:
        return self.town.runtime

    def backup(self) -> Backup:
        return make_backup(self.runtime, "shop", self.backups, lambda _done, _all: None)

    def restore(self, backup: Backup) -> Restored:
        self.runtime.database.close()
        return restore_backup(self.settings, "shop", backup.file, self.clock)

    def review(self) -> Review | None:
        with self.runtime.database.read() as connection:
            return review(connection, self.clock.now())

    def close(self) -> None:
        self.town.close()
        self.runtime.vault.close()


def make_world(
    database: Database,
    database_url: str,
    folder: Path,
    start: str = "2026-06-01T08:00",
    *,
    keys_beside: bool = False,
) -> World:
    """With `keys_beside` the key store is where it is when nobody says otherwise."""
    keys, backups, project = folder / "keys", folder / "backups", folder / "project"
    for one in (keys, backups, project):
        one.mkdir()
    key_file = keys / "shop.key"
    key_file.write_text(f"1 {base64.b64encode(KEY).decode()}\n")
    key_file.chmod(0o600)
    (project / "workspace.yaml").write_text("workspace: shop\ntimezone: UTC\ncurrency: GBP\n")
    settings = Settings(
        project=str(project),
        database_url=database_url,
        keys_url="" if keys_beside else f"sqlite:///{keys}/keys.db",
        key_file=str(key_file),
        workers="1",
    )
    clock = ManualClock(at(start))
    vault = Vault(WorkspaceKey((KEY,)), open_key_store(settings.keys_database))
    vault.create_store()
    return World(Town(Runtime(settings, database, vault, clock), clock), settings, clock, backups)


def counted(world: World) -> dict[str, int]:
    tables = {"profile": profile, "event": customer_event, "identity": identity, "message": message}
    with world.runtime.database.read() as connection:
        return {name: connection.scalar(select(func.count()).select_from(one)) or 0 for name, one in tables.items()}
