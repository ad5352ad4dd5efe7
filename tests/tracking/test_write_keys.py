from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from core.clock import ManualClock
from core.database import Database
from core.errors import ConflictError, InputError
from core.keys import WorkspaceKey
from core.vault import Vault, open_key_store
from customers.tables import write_key
from tracking.write_keys import WriteKey, WriteKeyKind, create_write_key, find_write_key


def test_a_key_is_found_when_the_workspace_key_was_rotated(
    database: Database, vault: Vault, clock: ManualClock, tmp_path: Path
) -> None:
    rotated = Vault(WorkspaceKey((bytes(range(32)), bytes(32))), open_key_store(f"sqlite:///{tmp_path / 'other.db'}"))
    with database.transaction() as connection:
        key = create_write_key(connection, vault, kind="public", name="web", now=clock.now())
        assert find_write_key(connection, vault, key) == WriteKey("web", WriteKeyKind.PUBLIC)
        assert find_write_key(connection, rotated, key) == WriteKey("web", WriteKeyKind.PUBLIC)
        assert find_write_key(connection, vault, f"{key}x") is None
        connection.execute(update(write_key).values(revoked_at=clock.now()))
        assert find_write_key(connection, vault, key) is None
    rotated.close()


def test_a_name_is_refused_when_it_is_taken_or_ours(database: Database, vault: Vault, clock: ManualClock) -> None:
    with database.transaction() as connection:
        create_write_key(connection, vault, kind="secret", name="backend", now=clock.now())
        with pytest.raises(ConflictError):
            create_write_key(connection, vault, kind="public", name="backend", now=clock.now())
        for name in ("", "order", "link_clicked", "a:b", "x" * 51):
            with pytest.raises(InputError):
                create_write_key(connection, vault, kind="public", name=name, now=clock.now())
