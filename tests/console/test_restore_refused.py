"""What cannot be restored is refused, with the way out, and the database stays as it was."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from console.backups.archive import read_manifest
from core.database import Database
from core.errors import EnvironmentFaultError, InputError
from core.key_use import sharing_keys
from customers.tables import profile
from tests.console.backup_world import World, counted, make_world


@pytest.fixture
def world(database: Database, database_url: str, tmp_path: Path) -> Iterator[World]:
    made = make_world(database, database_url, tmp_path)
    yield made
    made.close()


def test_a_restore_is_refused_when_something_of_the_workspace_runs(world: World) -> None:
    world.town.person("alice")
    backup = world.backup()
    before = counted(world)
    with sharing_keys(world.runtime.vault.store), pytest.raises(EnvironmentFaultError, match="nothing else"):
        world.restore(backup)
    assert counted(world) == before


def test_a_restore_is_refused_when_another_program_has_the_sqlite_file_open(world: World) -> None:
    if not world.runtime.database.is_sqlite:
        pytest.skip("a file of SQLite")
    backup = world.backup()
    world.runtime.database.close()
    other = Database(world.settings.database)
    with other.read() as connection:
        connection.execute(select(profile)).all()
        with pytest.raises(EnvironmentFaultError, match="another program has the database"):
            world.restore(backup)
    other.close()
    assert world.restore(backup).aside is not None


def test_a_restore_is_refused_when_the_file_is_not_what_was_written(world: World) -> None:
    world.town.person("alice")
    backup = world.backup()
    content = bytearray(backup.file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    backup.file.write_bytes(content)
    with pytest.raises(InputError, match="damaged or was altered"):
        world.restore(backup)
    backup.file.write_bytes(b"no archive")
    with pytest.raises(InputError, match="damaged"):
        world.restore(backup)
    assert counted(world)["profile"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workspace": "another"}, "is a backup of 'another'"),
        ({"revision": "9999"}, "newer Postilion"),
        ({"engine": "oracle"}, "comes from oracle"),
    ],
)
def test_a_restore_is_refused_when_the_backup_is_not_for_this_engine(
    world: World, change: dict[str, str], said: str
) -> None:
    backup = world.backup()
    old = json.dumps(json.loads(_manifest_text(backup.file)), indent=2)
    document = json.loads(old) | change
    _replace_manifest(backup.file, json.dumps(document))
    with pytest.raises(InputError, match=said):
        world.restore(backup)


def test_a_restore_is_refused_when_the_key_store_is_empty(world: World) -> None:
    world.town.person("alice")
    backup = world.backup()
    assert read_manifest(backup.file).key_count == 1
    world.runtime.vault.destroy(world.town.people["alice"])
    with pytest.raises(EnvironmentFaultError, match="postilion keys restore"):
        world.restore(backup)


def _manifest_text(file: Path) -> bytes:
    with tarfile.open(file) as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None
        return member.read()


def _replace_manifest(file: Path, document: str) -> None:
    with tarfile.open(file) as archive:
        member = archive.extractfile("database")
        assert member is not None
        copy = member.read()
    with tarfile.open(file, "w") as archive:
        for name, content in (("manifest.json", document.encode()), ("database", copy)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
