"""A new version of the workspace key: everything is found as before, whatever happens on the way."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from core.errors import EnvironmentFaultError
from core.key_store import data_key, open_key_store
from core.key_use import alone_with_keys
from core.keys import load_key, read_key_file
from customers.consent import ConsentStatus, consent_of
from customers.identities import lookup_of, resolve
from customers.key_check import check_keys
from customers.key_rotation import rotate_keys
from customers.reindex import BOUND_TO_ADDRESSES, adopt_old_lookups
from customers.suppression import find_suppressed
from customers.tables import IdentityKind
from migrations.tables import metadata
from tests.core.rotation_shop import NOW, STRANGER, Shop, check, fill, opened

STEPS = 8  # begun, data keys, consents, links, messages, stops, attributes, addresses


def quiet(_what: str, _done: int, _total: int) -> None:
    pass


def test_everything_is_found_as_before_when_the_key_was_rotated(tmp_path: Path, database_url: str) -> None:
    shop = fill(tmp_path, database_url, more=20)
    check(shop, version=1)
    for version in (2, 3):
        rotation = rotate_keys(shop.settings, "shop", quiet)
        assert (rotation.version, rotation.was_resumed) == (version, False)
        assert rotation.counts["data keys"] == 23
        assert rotation.counts["addresses"] == 26
        check(shop, version)
    with opened(shop.settings) as runtime, runtime.vault.store.read() as connection:
        assert set(connection.scalars(select(data_key.c.key_version))) == {3}


def test_a_rotation_goes_on_where_it_was_killed(tmp_path: Path, database_url: str) -> None:
    shop = fill(tmp_path, database_url)
    for stop_after in range(1, STEPS + 1):
        _rotate_until_killed(shop, tmp_path, stop_after)
        path = shop.settings.key_path("shop")
        assert read_key_file(path).pending is not None
        with pytest.raises(EnvironmentFaultError, match="run `postilion keys rotate`"), opened(shop.settings):
            pass
        rotation = rotate_keys(shop.settings, "shop", quiet)
        assert (rotation.version, rotation.was_resumed) == (stop_after + 1, True)
        assert read_key_file(path).pending is None
    check(shop, version=STEPS + 1)


def test_what_was_said_about_an_address_holds_when_its_owner_is_first_seen_after_a_rotation(
    tmp_path: Path, database_url: str
) -> None:
    shop = fill(tmp_path, database_url)
    rotate_keys(shop.settings, "shop", quiet)
    rotate_keys(shop.settings, "shop", quiet)
    with opened(shop.settings) as runtime, runtime.database.transaction() as connection:
        lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, STRANGER)
        assert find_suppressed(connection, "email", [lookup]) == {}
        resolve(connection, runtime.vault, {IdentityKind.EMAIL: STRANGER}, NOW)
        assert find_suppressed(connection, "email", [lookup]) == {lookup: "bounced"}
        state = consent_of(connection, "email", "marketing", [lookup], NOW)[lookup]
        assert state is ConsentStatus.WITHDRAWN
        adopt_old_lookups(connection, runtime.vault, IdentityKind.EMAIL, [STRANGER])  # again changes nothing
        assert find_suppressed(connection, "email", [lookup]) == {lookup: "bounced"}


def test_a_database_from_before_the_rotation_is_finished_without_a_new_version(
    tmp_path: Path, sqlite_template: Path
) -> None:
    file = tmp_path / "postilion.db"
    shutil.copyfile(sqlite_template, file)
    shop = fill(tmp_path, f"sqlite:///{file}")
    shutil.copyfile(file, tmp_path / "yesterday.db")
    rotate_keys(shop.settings, "shop", quiet)
    shutil.copyfile(tmp_path / "yesterday.db", file)
    with opened(shop.settings) as runtime:
        key = load_key(shop.settings.key_path("shop"))
        wrong = [one for one in check_keys(runtime.database, runtime.vault, key, lambda *_: None) if one.count]
        assert [one.count for one in wrong] == [9]
        assert "rotate --finish" in wrong[0].way_out
    assert rotate_keys(shop.settings, "shop", quiet, only_finish=True).version == 2
    check(shop, version=2)


def test_a_rotation_is_refused_when_something_else_runs(tmp_path: Path, database_url: str) -> None:
    shop = fill(tmp_path, database_url)
    with opened(shop.settings), pytest.raises(EnvironmentFaultError, match="only while nothing else"):
        rotate_keys(shop.settings, "shop", quiet)
    store = open_key_store(shop.settings.keys_database)
    with alone_with_keys(store), pytest.raises(EnvironmentFaultError, match="being exchanged"), opened(shop.settings):
        pass
    store.close()
    check(shop, version=1)


def test_a_key_file_from_before_the_rotation_is_refused(tmp_path: Path, database_url: str) -> None:
    shop = fill(tmp_path, database_url)
    path = shop.settings.key_path("shop")
    before = path.read_text()
    rotate_keys(shop.settings, "shop", quiet)
    path.write_text(before)
    with pytest.raises(EnvironmentFaultError, match="copy the key file"), opened(shop.settings):
        pass


def test_every_table_with_lookups_of_addresses_is_rewritten() -> None:
    """A new table with a `lookup` has to be thought of here."""
    others = {"suppression", "identity", "sealed_attribute"}  # rewritten each in its own way
    # Looked up under every version, or short-lived.
    keyed_otherwise = {"write_key", "tombstone", "single_use_link", "offer_code"}
    known = {bound.name for bound, _key in BOUND_TO_ADDRESSES.values()} | others | keyed_otherwise
    assert {table.name for table in metadata.sorted_tables if "lookup" in table.c} == known
    for bound, key in BOUND_TO_ADDRESSES.values():
        assert {key, "lookup"} <= set(metadata.tables[bound.name].c.keys())


def _rotate_until_killed(shop: Shop, folder: Path, stop_after: int) -> None:
    command = [sys.executable, "-m", "tests.core.rotation_shop", str(folder), shop.settings.database_url]
    done = subprocess.run([*command, str(stop_after)], timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
