"""A runtime on each database, in a workspace with two topics and three senders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tests.delivery.ledger_shop import NOW, WORKSPACE


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
    yield Runtime(Settings(project=str(tmp_path), workers="4"), database, vault, ManualClock(NOW))
    vault.close()
