"""A runtime on each database, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.database import Database
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tests.campaigns.shop import NOW


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    settings = Settings(project=str(tmp_path), public_url="https://links.shop.example", workers="4")
    yield Runtime(settings, database, vault, ManualClock(NOW))
    vault.close()
