"""A runtime around a test's database: a vault of its own, the clock of these tests, and the shop published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.key_store import open_key_store
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from tests.segments.people import NOW

SHOP_DOCUMENT: dict[str, Any] = {
    "workspace": "shop",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "country": "DE",
    "attributes": {"tier": {"kind": "text"}, "first_name": {"kind": "text", "personal": True}},
    "topics": {
        "marketing": {"name": "Marketing", "kind": "marketing"},
        "service": {"name": "Service", "kind": "transactional"},
    },
}


def open_runtime_on(database: Database, folder: Path) -> Runtime:
    """`folder` takes the key, the key store and the state."""
    store = open_key_store(f"sqlite:///{folder / 'keys.db'}")
    vault = Vault(create_key(folder / "shop.key"), store)
    vault.create_store()
    with database.transaction() as connection:
        publish_document(connection, "workspace", "shop", SHOP_DOCUMENT)
    return Runtime(Settings(project=str(folder)), database, vault, ManualClock(NOW))


def publish_document(connection: Any, kind: str, slug: str, document: dict[str, Any]) -> None:
    publish(connection, kind, slug, document=document, source="", file=f"{kind}s/{slug}.yaml", now=NOW)
