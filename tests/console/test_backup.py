"""Copying the database while everything runs: one moment of it, no keys in it, and room for the next."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from console.backups import postgresql_dump
from console.backups.archive import read_manifest
from console.backups.make import make_backup
from core.database import Database
from core.errors import ConflictError, EnvironmentFaultError, InputError
from customers.tables import customer_event, event_key
from tests.console.backup_world import World, make_world


@pytest.fixture
def world(database: Database, database_url: str, tmp_path: Path) -> Iterator[World]:
    made = make_world(database, database_url, tmp_path)
    yield made
    made.close()


def nobody(_done: int, _all: int | None) -> None:
    pass


def counts(world: World) -> tuple[int, int]:
    with world.runtime.database.read() as connection:
        keys = connection.scalar(select(func.count()).select_from(event_key))
        events = connection.scalar(select(func.count()).select_from(customer_event))
    return keys or 0, events or 0


def fill(world: World, count: int) -> None:
    now = world.clock.now()
    rows = [
        {"name": "visited", "occurred_at": now, "received_at": now, "source": "t", "properties": {"page": "x" * 200}}
        for _ in range(count)
    ]
    with world.runtime.database.transaction() as connection:
        connection.execute(insert(event_key), [{"key": f"k{number}", "received_at": now} for number in range(count)])
        connection.execute(insert(customer_event), rows)


def test_a_backup_holds_one_moment_when_somebody_writes_all_the_while(world: World) -> None:
    fill(world, 20_000)
    stop, written, slowest = threading.Event(), 0, 0.0
    now = world.clock.now()

    def write() -> None:
        nonlocal written, slowest
        while not stop.is_set():
            began = time.monotonic()
            with world.runtime.database.transaction() as connection:
                connection.execute(insert(event_key).values(key=f"live-{written}", received_at=now))
                values: dict[str, Any] = {"name": "visited", "occurred_at": now, "received_at": now, "source": "t"}
                connection.execute(insert(customer_event).values(**values, properties={}))
            slowest = max(slowest, time.monotonic() - began)
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while written < 5:
            time.sleep(0.01)
        before = written
        backup = world.backup()
        during = written - before
    finally:
        stop.set()
        writer.join()
    assert during > 0
    assert slowest < 5
    whole = counts(world)
    world.restore(backup)
    restored = counts(world)
    assert restored[0] == restored[1] == backup.manifest.counts["customer_event"]
    assert 20_005 <= restored[0] <= whole[0]


def test_a_backup_is_private_and_says_what_it_holds_when_it_is_made(world: World) -> None:
    world.town.person("alice")
    backup = world.backup()
    assert stat.S_IMODE(backup.file.stat().st_mode) == 0o600
    assert backup.file.name == "shop-20260601T080000Z.backup.tar"
    manifest = read_manifest(backup.file)
    assert manifest == backup.manifest
    assert (manifest.workspace, manifest.made_at) == ("shop", world.clock.now())
    assert (manifest.counts["profile"], manifest.key_count) == (1, 1)
    assert [path.name for path in world.backups.iterdir()] == [backup.file.name]


def test_no_key_is_in_a_backup_when_the_keys_lie_in_the_same_database(world: World) -> None:
    if world.runtime.database.is_sqlite:
        pytest.skip("a schema of PostgreSQL")
    with world.runtime.database.transaction() as connection:
        connection.exec_driver_sql("CREATE SCHEMA keys")
        connection.exec_driver_sql("CREATE TABLE keys.data_key (profile_id bigint, wrapped text)")
        connection.exec_driver_sql("INSERT INTO keys.data_key VALUES (1, 'the-wrapped-key-of-somebody')")
    try:
        backup = world.backup()
        content = backup.file.read_bytes()
        assert b"data_key" not in content
        world.restore(backup)
        with world.runtime.database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM keys.data_key").scalar_one() == 1
    finally:
        with world.runtime.database.transaction() as connection:
            connection.exec_driver_sql("DROP SCHEMA keys CASCADE")


@pytest.mark.parametrize("below", [".", "backups"])
def test_a_backup_is_refused_when_it_would_lie_with_the_keys(world: World, below: str) -> None:
    folder = Path(world.settings.key_file).parent / below
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError, match="keep backups in another place"):
        make_backup(world.runtime, "shop", folder, nobody)


def test_a_backup_is_refused_when_the_file_is_there_already(world: World) -> None:
    backup = world.backup()
    with pytest.raises(ConflictError, match="is there already"):
        make_backup(world.runtime, "shop", backup.file, nobody)
    with pytest.raises(InputError, match="is not there"):
        make_backup(world.runtime, "shop", world.backups / "none" / "file.tar", nobody)
    with pytest.raises(InputError, match="at least 1"):
        make_backup(world.runtime, "shop", world.backups / "file.tar", nobody, keep=3)


def test_only_our_own_old_backups_are_deleted_when_some_are_kept(world: World) -> None:
    others = [world.backups / name for name in ("notes.txt", "shop.backup.tar", "other-20200101T000000Z.backup.tar")]
    for other in others:
        other.write_text("kept")
    names = []
    for _ in range(4):
        made = make_backup(world.runtime, "shop", world.backups, nobody, keep=2)
        names.append(made.file)
        world.clock.advance(timedelta(days=1))
    assert made.deleted == (names[1],)
    assert sorted(world.backups.iterdir()) == sorted([*others, *names[2:]])


def test_nothing_is_left_behind_when_a_backup_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("console.backups.make.write_archive", full)
    with pytest.raises(OSError, match="No space"):
        world.backup()
    assert list(world.backups.iterdir()) == []


def test_the_way_out_is_named_when_pg_dump_is_missing_or_too_old(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if world.runtime.database.is_sqlite:
        pytest.skip("SQLite needs no program")
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(postgresql_dump, "_DEBIAN", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", f"{programs}:/bin")
    monkeypatch.setattr("shutil.which", lambda name: str(programs / name) if (programs / name).exists() else None)
    with pytest.raises(EnvironmentFaultError, match="pg_dump is not installed"):
        world.backup()
    old = programs / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o700)
    with pytest.raises(EnvironmentFaultError, match=r"pg_dump is 9 and the server is PostgreSQL \d+"):
        world.backup()


def test_no_password_is_on_a_command_line_when_programs_are_called(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if world.runtime.database.is_sqlite:
        pytest.skip("SQLite has no password")
    seen = tmp_path / "seen"
    fake = tmp_path / "pg_dump"
    fake.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.1"; exit 0; fi\n'
        f'echo "$@" > {seen}; echo "secret is $PGPASSWORD" >> {seen}; echo "no such role" >&2; exit 1\n'
    )
    fake.chmod(0o700)
    monkeypatch.setattr(postgresql_dump, "_find", lambda _program: str(fake))
    world.runtime.database.url = world.runtime.database.url.set(password="hush")
    with pytest.raises(EnvironmentFaultError, match="pg_dump failed, and nothing was changed: no such role"):
        world.backup()
    arguments, secret = seen.read_text().splitlines()
    assert "hush" not in arguments
    assert secret == "secret is hush"
