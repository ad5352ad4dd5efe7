"""A shop on each database, and a second way to open it, as another process would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from examples.commands import free_port
from tests.console.rights.shop import NOW, WORKSPACE

KEY = WorkspaceKey((bytes(range(32)),))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = Vault(KEY, open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    opened.create_store()
    yield opened
    opened.close()


@pytest.fixture
def runtime(database: Database, vault: Vault, tmp_path: Path) -> Runtime:
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
    settings = Settings(project=str(tmp_path), public_url="https://links.shop.example", port=str(free_port()))
    return Runtime(settings, database, vault, ManualClock(NOW))
