"""A vault, a workspace and the four people of the shop, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.database import Database
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.workspace import Workspace, parse_workspace

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)

WORKSPACE = parse_workspace(
    {
        "workspace": "shop",
        "name": "Fern & Kettle",
        "timezone": "Europe/London",
        "currency": "GBP",
        "country": "GB",
        "attributes": {
            "first_name": {"kind": "text", "personal": True},
            "birthday": {"kind": "date", "personal": True},
            "tier": {"kind": "text"},
            "visits": {"kind": "number"},
        },
        "events": {"product_viewed": {"properties": {"product_id": "text", "price": "number"}}},
        "topics": {"marketing": {"kind": "marketing"}},
    }
)


@pytest.fixture
def workspace() -> Workspace:
    return WORKSPACE


@pytest.fixture
def vault(database: Database, tmp_path: Path) -> Iterator[Vault]:
    """A vault whose key store is a file of its own."""
    opened = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    opened.create_store()
    yield opened
    opened.close()


@pytest.fixture
def runtime(database: Database, vault: Vault, tmp_path: Path) -> Runtime:
    return Runtime(Settings(project=str(tmp_path)), database, vault, ManualClock(NOW))
