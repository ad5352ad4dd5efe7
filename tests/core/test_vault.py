"""Sealed values open with the right key, profile and column, and with nothing else."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ConflictError, EnvironmentFaultError, NotFoundError, PermanentError
from core.keys import WorkspaceKey, create_key, load_key
from core.vault import Vault, open_key_store

ALICE, BOB = 1, 2


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = open_vault(tmp_path, WorkspaceKey((bytes(range(32)),)))
    yield opened
    opened.close()


def open_vault(folder: Path, key: WorkspaceKey) -> Vault:
    vault = Vault(key, open_key_store(f"sqlite:///{folder / 'keys.db'}"))
    vault.create_store()
    return vault


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text())
def test_opens_what_it_sealed_whatever_the_text(vault: Vault, text: str) -> None:
    assert vault.open(ALICE, "email", vault.seal(ALICE, "email", text)) == text


def test_refuses_when_a_value_was_moved_to_another_profile_or_column(vault: Vault) -> None:
    sealed = vault.seal(ALICE, "email", "alice@example.org")
    vault.prepare([BOB])
    for profile, column in [(BOB, "email"), (ALICE, "phone")]:
        with pytest.raises(PermanentError, match="does not open"):
            vault.open(profile, column, sealed)


def test_nobody_reads_it_again_when_the_data_key_is_destroyed(vault: Vault) -> None:
    sealed = vault.seal(ALICE, "email", "alice@example.org")
    vault.destroy(ALICE)
    with pytest.raises(NotFoundError, match="erased"):
        vault.open(ALICE, "email", sealed)


def test_key_is_gone_from_the_file_when_it_is_destroyed(vault: Vault, tmp_path: Path) -> None:
    vault.prepare([ALICE, BOB])
    before = (tmp_path / "keys.db").read_bytes()
    vault.destroy(ALICE)
    after = (tmp_path / "keys.db").read_bytes()
    assert before != after
    assert not (tmp_path / "keys.db-wal").exists()


def test_blind_index_separates_kinds_and_keys(vault: Vault, tmp_path: Path) -> None:
    assert vault.blind_index("email", "a") == vault.blind_index("email", "a")
    assert vault.blind_index("email", "a") != vault.blind_index("phone", "a")
    (tmp_path / "other").mkdir()
    other = open_vault(tmp_path / "other", WorkspaceKey((bytes(32),)))
    assert vault.blind_index("email", "a") != other.blind_index("email", "a")
    other.close()


def test_says_so_when_the_key_store_belongs_to_another_workspace_key(vault: Vault, tmp_path: Path) -> None:
    vault.prepare([ALICE])
    stranger = open_vault(tmp_path, WorkspaceKey((bytes(32),)))
    with pytest.raises(PermanentError, match="another workspace key"):
        stranger.seal(ALICE, "email", "x")
    stranger.close()


def test_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "shop.key"
    key = create_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_key(file) == key
    assert "WorkspaceKey(1 versions)" in repr(key)
    with pytest.raises(ConflictError, match="already"):
        create_key(file)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.chmod(0o644), "chmod 600"),
        (lambda file: file.write_text("1 not-base64!\n"), "damaged"),
        (lambda file: file.write_text(""), "damaged"),
        (lambda file: file.unlink(), "postilion init"),
    ],
)
def test_says_the_way_out_when_the_key_file_is_unusable(tmp_path: Path, damage: object, message: str) -> None:
    file = tmp_path / "shop.key"
    create_key(file)
    assert callable(damage)
    damage(file)
    if file.exists() and message == "damaged":
        file.chmod(0o600)
    with pytest.raises(EnvironmentFaultError, match=message):
        load_key(file)
