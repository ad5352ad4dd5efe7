from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tests.insights.buyers import NOW


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One writing transaction on an empty database."""
    with database.transaction() as opened:
        yield opened


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    """A process of an empty shop in London that counts in pounds, at `NOW`."""
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    document = {"workspace": "shop", "name": "Shop", "timezone": "Europe/London", "currency": "GBP"}
    with database.transaction() as opened:
        publish(opened, "workspace", "shop", document=document, source="", file="workspace.yaml", now=NOW)
    yield Runtime(Settings(project=str(tmp_path)), database, vault, ManualClock(NOW))
    vault.close()
