from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from core.claims import lease
from core.clock import ManualClock
from core.database import Database
from core.errors import ConflictError
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.imports.turns import Turn
from customers.imports.undo import undo_import
from customers.tables import identity, import_batch, profile
from tests.customers.conftest import NOW, WORKSPACE
from tests.customers.importing import import_file

MAPPING = """
import: profiles
source: shop
columns: {external_id: id, email: mail, first_name: name, tier: tier}
"""


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[tuple[Runtime, list[str]]]:
    """What this process holds, and the words with which another one finds the same database and keys."""
    key, keys = tmp_path / "shop.key", f"sqlite:///{tmp_path / 'keys.db'}"
    vault = Vault(create_key(key), open_key_store(keys))
    vault.create_store()
    database = Database(database_url)
    yield Runtime(Settings(), database, vault, ManualClock(NOW)), [database_url, str(key), keys]
    vault.close()
    database.close()


def people(folder: Path, name: str, numbers: range) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.csv"
    rows = (f"c{number},c{number}@shop.example,Name {number},gold\n" for number in numbers)
    file.write_text("id,mail,name,tier\n" + "".join(rows))
    (folder / "mapping.yaml").write_text(MAPPING)
    return file


@contextmanager
def importing(words: list[str], file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has begun to import `file`; it is killed at the end unless it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.customers.importing", *words, str(file), str(file.parent / "mapping.yaml")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"begins\n"
        yield process
    finally:
        process.kill()
        process.wait(timeout=20)
        process.stdout.close()


def wait_for_rows(runtime: Runtime, count: int) -> None:
    for _ in range(600):
        with runtime.database.read() as connection:
            done = connection.execute(select(func.max(import_batch.c.rows_done))).scalar() or 0
        if done >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"the other process has not imported {count} rows")


def count_people(runtime: Runtime) -> tuple[int, int]:
    with runtime.database.read() as connection:
        tables = (profile, identity)
        counts = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]
    return counts[0], counts[1]


def test_the_second_import_of_a_file_is_refused_while_the_first_runs_and_takes_over_when_it_is_killed(
    shop: tuple[Runtime, list[str]], tmp_path: Path
) -> None:
    runtime, words = shop
    file = people(tmp_path / "files", "people", range(30_000))
    with importing(words, file) as other:
        wait_for_rows(runtime, 500)
        with pytest.raises(ConflictError, match="running in another process"):
            import_file(runtime, file, file.parent / "mapping.yaml", batch_rows=500)
        with pytest.raises(ConflictError, match="running in another process"):
            undo_import(runtime, WORKSPACE, 1, now=NOW, progress=lambda _done, _total: None)
        other.kill()
        other.wait(timeout=20)
        result = import_file(runtime, file, file.parent / "mapping.yaml", batch_rows=500)
    assert (result.read_count, result.imported_count) == (30_000, 30_000)
    assert count_people(runtime) == (30_000, 60_000)
    with runtime.database.read() as connection:
        assert connection.execute(select(import_batch.c.id)).scalars().all() == [1]
        assert connection.execute(select(profile.c.batch_id).distinct()).scalars().all() == [1]


def test_nobody_becomes_two_people_when_two_files_are_imported_at_once(
    shop: tuple[Runtime, list[str]], tmp_path: Path
) -> None:
    runtime, words = shop
    first = people(tmp_path / "first", "first", range(4_000))
    second = people(tmp_path / "second", "second", range(2_000, 6_000))
    with importing(words, first) as one, importing(words, second) as other:
        for process in (one, other):
            assert process.wait(timeout=120) == 0
    assert count_people(runtime) == (6_000, 12_000)


def test_a_turn_is_taken_over_when_the_lease_of_another_machine_has_run_out(
    shop: tuple[Runtime, list[str]], tmp_path: Path
) -> None:
    runtime, _words = shop
    elsewhere = {"name": "import:1", "holder": "elsewhere:1:1:aa", "expires_at": NOW + timedelta(minutes=5)}
    with runtime.database.transaction() as connection:
        connection.execute(insert(lease), [elsewhere])
    turn = Turn(runtime, 1, "the import of people.csv")
    with pytest.raises(ConflictError, match=r"people\.csv is running"):
        turn.take()
    assert isinstance(runtime.clock, ManualClock)
    runtime.clock.advance(timedelta(minutes=6))
    turn.take()
    turn.release()


def test_nothing_more_is_written_when_the_turn_was_lost(shop: tuple[Runtime, list[str]]) -> None:
    runtime, _words = shop
    slow, quick = (Turn(runtime, 1, "the import of people.csv") for _ in range(2))
    slow.take()
    assert isinstance(runtime.clock, ManualClock)
    runtime.clock.advance(timedelta(minutes=11))
    quick.take()
    with runtime.database.transaction() as connection, pytest.raises(ConflictError, match="taken over"):
        slow.renew(connection)
    slow.release()  # which takes nothing away from the other one
    with runtime.database.transaction() as connection:
        quick.renew(connection)
