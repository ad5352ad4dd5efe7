from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.clock import ManualClock
from core.database import Database
from core.errors import ConflictError, InputError, NotFoundError
from core.keys import WorkspaceKey
from core.vault import Vault, open_key_store
from customers.tables import write_key
from tracking.events.write_keys import (
    WriteKey,
    WriteKeyKind,
    create_write_key,
    find_write_key,
    list_write_keys,
    revoke_write_key,
    rotate_write_key,
)


def test_a_key_is_found_when_the_workspace_key_was_rotated(
    database: Database, vault: Vault, clock: ManualClock, tmp_path: Path
) -> None:
    rotated = Vault(WorkspaceKey((bytes(range(32)), bytes(32))), open_key_store(f"sqlite:///{tmp_path / 'other.db'}"))
    with database.transaction() as connection:
        key = create_write_key(connection, vault, kind="public", name="web", now=clock.now())
        assert find_write_key(connection, vault, key, clock.now()) == WriteKey("web", WriteKeyKind.PUBLIC)
        assert find_write_key(connection, rotated, key, clock.now()) == WriteKey("web", WriteKeyKind.PUBLIC)
        assert find_write_key(connection, vault, f"{key}x", clock.now()) is None
        connection.execute(update(write_key).values(revoked_at=clock.now()))
        assert find_write_key(connection, vault, key, clock.now()) is None
    rotated.close()


def test_a_name_is_refused_when_it_is_taken_or_ours(database: Database, vault: Vault, clock: ManualClock) -> None:
    with database.transaction() as connection:
        create_write_key(connection, vault, kind="secret", name="backend", now=clock.now())
        with pytest.raises(ConflictError):
            create_write_key(connection, vault, kind="public", name="backend", now=clock.now())
        for name in ("", "order", "link_clicked", "a:b", "x" * 51):
            with pytest.raises(InputError):
                create_write_key(connection, vault, kind="public", name=name, now=clock.now())


def test_the_old_key_is_good_until_the_grace_is_over_when_a_key_is_rotated(
    database: Database, vault: Vault, clock: ManualClock
) -> None:
    with database.transaction() as connection:
        now = clock.now()
        old = create_write_key(connection, vault, kind="public", name="web", now=now, events_per_second=5)
        until = now + timedelta(days=7)
        new = rotate_write_key(connection, vault, "web", now=now, until=until)
        web = WriteKey("web", WriteKeyKind.PUBLIC, 5)
        for instant, keys in ((now, [web, web]), (until - timedelta(seconds=1), [web, web]), (until, [None, web])):
            assert [find_write_key(connection, vault, key, instant) for key in (old, new)] == keys
        assert [(key.name, key.revoked_at) for key in list_write_keys(connection)] == [("web", until), ("web", None)]


def test_every_key_of_the_name_ends_when_it_is_revoked(database: Database, vault: Vault, clock: ManualClock) -> None:
    with database.transaction() as connection:
        now = clock.now()
        keys = [create_write_key(connection, vault, kind="secret", name="backend", now=now)]
        other = create_write_key(connection, vault, kind="secret", name="other", now=now)
        keys.append(rotate_write_key(connection, vault, "backend", now=now, until=now + timedelta(days=1)))
        assert revoke_write_key(connection, "backend", now) == 2
        assert [find_write_key(connection, vault, key, now) for key in keys] == [None, None]
        assert find_write_key(connection, vault, other, now) is not None
        for refused in (
            lambda: revoke_write_key(connection, "backend", now),
            lambda: rotate_write_key(connection, vault, "backend", now=now, until=now),
        ):
            with pytest.raises(NotFoundError, match="write-key list"):
                refused()
        create_write_key(connection, vault, kind="secret", name="backend", now=now)  # the name is free again
