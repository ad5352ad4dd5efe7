from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.clock import ManualClock
from core.database import Database
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.workspace import Workspace, parse_workspace
from recommender.publish import refresh_rules
from tests.recommender.shop import NOW, add_orders, add_products, planted_orders


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One writing transaction on an empty database."""
    with database.transaction() as opened:
        yield opened


@pytest.fixture
def shop(connection: Connection) -> Connection:
    """The planted shop with its rules published; its orders are anonymous."""
    add_products(connection)
    add_orders(connection, planted_orders())
    assert refresh_rules(connection, NOW).is_published
    return connection


@pytest.fixture
def workspace() -> Workspace:
    return parse_workspace({"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"})


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    """A process of the empty shop, at `NOW`."""
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    yield Runtime(Settings(project=str(tmp_path)), database, vault, ManualClock(NOW))
    vault.close()
