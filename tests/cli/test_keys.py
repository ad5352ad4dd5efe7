"""`postilion keys` as a person runs it, from the first copy to a lost store and a key under KMS."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.erasures import record_erasure
from core.errors import InputError
from core.key_backup import KEPT, back_up_keys, restore_keys
from core.key_store import data_key, open_key_store
from core.keys import load_key
from core.runtime import open_runtime
from core.settings import load_settings
from core.vault import Vault
from customers.identities import resolve
from customers.key_rotation import rotate_keys
from customers.tables import IdentityKind
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from sandbox.wire.kms import ALIAS
from tests.cli.test_commands import Shell, shell, shop
from tests.core.rotation_shop import NOW, Shop, check, fill, opened

__all__ = ["shell", "shop"]


@pytest.fixture
def town(shop: Shell) -> Shell:
    """A project that was just published, with three people in it."""
    settings = load_settings(shop.environment, project=str(shop.folder / "shop"))
    with open_runtime(settings, "shop") as runtime, runtime.database.transaction() as connection:
        for name in ("alice", "bob", "carol"):
            resolve(connection, runtime.vault, {IdentityKind.EMAIL: f"{name}@people.example"}, NOW)
    return shop


def test_keys_are_copied_lost_and_put_back(town: Shell, tmp_path: Path) -> None:
    assert town.run("keys", "verify", "--json").document["is_well"]
    made = town.run("keys", "backup", str(tmp_path / "vault"), "--json").document
    assert made["keys"] == 3
    copy = Path(made["file"])
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]
    store = tmp_path / "shop" / ".postilion" / "keys.db"
    store.unlink()
    verified = town.run("keys", "verify")
    assert verified.code == 1
    assert "postilion keys restore FILE" in verified.out
    assert town.run("keys", "restore", str(copy), "--json").document == {"restored": 3, "present": 0, "erased": 0}
    assert town.run("keys", "restore", str(copy), "--json").document == {"restored": 0, "present": 3, "erased": 0}
    assert town.run("keys", "verify").code == 0


def test_a_copy_is_refused_where_it_would_lie_beside_what_it_opens(town: Shell, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    (backups / "shop-20260610T080000Z.backup.tar").touch()
    for folder, holds in (
        (tmp_path / "shop" / ".postilion", "holds the database"),
        (tmp_path / "keys", "holds the workspace key"),
        (backups, "holds backups of the database"),
    ):
        answer = town.run("keys", "backup", str(folder))
        assert (answer.code, holds in answer.error) == (1, True), answer.error


def test_a_new_version_is_shown_when_the_key_was_rotated(town: Shell) -> None:
    before = town.run("keys", "show", "--json").document["versions"]
    assert [version["state"] for version in before] == ["in use"]
    rotated = town.run("keys", "rotate", "--json").document
    assert (rotated["version"], rotated["rewritten"]["data keys"], rotated["rewritten"]["addresses"]) == (2, 3, 3)
    after = town.run("keys", "show", "--json").document["versions"]
    assert after[0]["fingerprint"] == before[0]["fingerprint"] != after[1]["fingerprint"]
    assert town.run("keys", "verify", "--json").document["is_well"]
    finished = town.run("keys", "rotate", "--finish", "--json").document
    assert (finished["version"], set(finished["rewritten"].values())) == (2, {0})


def test_the_key_goes_under_kms_and_out_again(town: Shell, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "shop.key"
    with SandboxServer(SandboxOptions()) as sandbox:
        under_kms = replace(
            town,
            environment=dict(town.environment)
            | {"POSTILION_KMS_KEY_ID": ALIAS, "POSTILION_AWS_ENDPOINT_URL": sandbox.url},
        )
        assert "Set POSTILION_KMS_KEY_ID" in town.run("keys", "wrap").error
        assert under_kms.run("keys", "wrap").code == 0
        assert "1 kms:" in path.read_text()
        assert under_kms.run("keys", "rotate").code == 0
        assert "2 kms:" in path.read_text()
        assert under_kms.run("keys", "verify").code == 0
        refused = town.run("keys", "verify")
        assert (refused.code, "POSTILION_KMS_KEY_ID" in refused.error) == (3, True)
        assert under_kms.run("keys", "wrap", "--plain").code == 0
    assert town.run("keys", "verify").code == 0
    assert "kms" not in path.read_text()


def test_whoever_was_erased_stays_erased_when_keys_are_put_back(tmp_path: Path, database_url: str) -> None:
    filled = fill(tmp_path, database_url)
    copy = _back_up(filled, tmp_path / "vault")
    key = load_key(filled.settings.key_path("shop"))
    alice, bob = filled.ids["alice"], filled.ids["bob"]
    with opened(filled.settings) as runtime:
        store = runtime.vault.store
        record_erasure(store, [alice], {"mark": "email"}, NOW)
        runtime.vault.destroy(alice)
        runtime.vault.destroy(bob)  # lost, not erased
        result = restore_keys(store, key, "shop", copy, lambda *_: None)
        assert (result.restored_count, result.present_count, result.erased_count) == (1, 1, 1)
        assert runtime.vault.has_key(bob)
        assert not runtime.vault.has_key(alice)
        with_the_journal = _back_up(filled, tmp_path / "later")
    empty = open_key_store(f"sqlite:///{tmp_path / 'empty.db'}")
    Vault(key, empty).create_store()
    restored = restore_keys(empty, key, "shop", with_the_journal, lambda *_: None)
    assert (restored.restored_count, restored.erased_count) == (2, 0)
    late = restore_keys(empty, key, "shop", copy, lambda *_: None)  # an older copy still has her key
    assert (late.restored_count, late.present_count, late.erased_count) == (0, 2, 1)
    assert record_erasure(empty, [bob], {}, NOW) == 2  # numbers go on
    empty.close()


def test_a_damaged_key_is_replaced_and_a_rotated_one_stays(tmp_path: Path, database_url: str) -> None:
    filled = fill(tmp_path, database_url)
    copy = _back_up(filled, tmp_path / "vault")
    rotate_keys(filled.settings, "shop", lambda *_: None)
    key = load_key(filled.settings.key_path("shop"))
    with opened(filled.settings) as runtime:
        with runtime.vault.store.transaction() as connection:
            damaged = update(data_key).where(data_key.c.profile_id == filled.ids["alice"])
            connection.execute(damaged.values(wrapped=b"\0" * 60))
        result = restore_keys(runtime.vault.store, key, "shop", copy, lambda *_: None)
        assert (result.restored_count, result.present_count) == (1, 2)
    rotate_keys(filled.settings, "shop", lambda *_: None, only_finish=True)
    check(filled, version=2)


def test_copies_older_than_thirty_days_are_deleted_and_nothing_else(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "postilion.db")
    filled = fill(tmp_path, f"sqlite:///{tmp_path / 'postilion.db'}")
    folder = tmp_path / "vault"
    folder.mkdir()
    for name in ("notes.txt", "postilion-keys-other-20200101T000000Z.db", "postilion-keys-shop-20200101T000000Z.db"):
        (folder / name).touch()
    first = _back_up(filled, folder)
    second = _back_up(filled, folder, at=NOW + KEPT)
    third = _back_up(filled, folder, at=NOW + KEPT + timedelta(seconds=1))
    kept = {"notes.txt", "postilion-keys-other-20200101T000000Z.db", second.name, third.name}
    assert {file.name for file in folder.iterdir()} == kept
    assert not first.exists()
    with sqlite3.connect(third) as copy:
        assert copy.execute("SELECT count(*) FROM day_key").fetchone() == (0,)
    copy.close()


@pytest.mark.parametrize(
    ("text", "workspace", "message"),
    [("no database", "shop", "no copy of a key store"), (None, "garden", "keys of the workspace 'shop'")],
)
def test_another_file_is_refused_when_keys_are_put_back(
    tmp_path: Path, sqlite_template: Path, text: str | None, workspace: str, message: str
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "postilion.db")
    filled = fill(tmp_path, f"sqlite:///{tmp_path / 'postilion.db'}")
    copy = _back_up(filled, tmp_path / "vault")
    if text is not None:
        copy.write_text(text * 100)
    key = load_key(filled.settings.key_path("shop"))
    with opened(filled.settings) as runtime, pytest.raises(InputError, match=message):
        restore_keys(runtime.vault.store, key, workspace, copy, lambda *_: None)


def _back_up(filled: Shop, folder: Path, at: datetime = NOW) -> Path:
    with opened(filled.settings) as runtime:
        runtime.vault.seal_for_day("test", "x", NOW.astimezone(UTC).date())
        key = load_key(filled.settings.key_path("shop"))
        return back_up_keys(runtime.vault.store, key, "shop", folder, at, lambda *_: None).file
