"""A restore that is killed leaves the database that was there or the restored one, never half of each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import Database
from delivery.pauses import EVERYTHING, find_pauses
from tests.console.backup_world import World, counted, make_world


@pytest.fixture
def world(database: Database, database_url: str, tmp_path: Path) -> Iterator[World]:
    made = make_world(database, database_url, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("patience", [0.02, 0.3, 0.8, 1.2, 1.6, 2.0])
def test_the_old_database_or_the_new_one_stands_there_when_a_restore_is_killed(world: World, patience: float) -> None:
    for number in range(20):
        world.town.person(f"person-{number}")
    backup = world.backup()
    for number in range(20, 25):
        world.town.person(f"person-{number}")
    world.runtime.database.close()
    settings = world.settings.environment()
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from console.backups.restore import restore_backup\n"
        "from core.clock import SystemClock\n"
        "from core.settings import load_settings\n"
        "print('begins', flush=True)\n"
        "restore_backup(load_settings(), 'shop', Path(sys.argv[1]), SystemClock())\n"
    )
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(backup.file)],
        env={**os.environ, **settings},
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(patience)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    people = _settled_count(world)
    assert people in (20, 25)
    with world.runtime.database.read() as connection:
        is_paused = EVERYTHING in find_pauses(connection, world.clock.now())
    assert is_paused == (people == 20)
    world.restore(backup)
    assert counted(world)["profile"] == 20


def _settled_count(world: World) -> int:
    """After a kill the server may still be ending the transaction."""
    for _ in range(50):
        with world.runtime.database.engine.connect() as connection:
            if world.runtime.database.is_sqlite:
                break
            others = connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() AND application_name IN ('psql', 'pg_dump', 'pg_restore')"
                )
            ).scalar_one()
        if not others:
            break
        time.sleep(0.1)
    return counted(world)["profile"]
