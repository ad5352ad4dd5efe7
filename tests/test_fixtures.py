"""The tests' own ground: what the fixtures promise."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, text

from core.clock import ManualClock
from core.database import Database
from customers.tables import profile
from tests import databases
from tests.conftest import NetworkRefusedError


@pytest.mark.parametrize("turn", [1, 2])
def test_the_schema_is_ours_when_another_test_has_changed_it(database: Database, turn: int) -> None:
    with database.transaction() as connection:
        assert "left_behind" not in inspect(connection).get_table_names()
        connection.execute(text("CREATE TABLE left_behind (turn INTEGER)"))


@pytest.mark.parametrize("turn", [1, 2])
def test_rows_are_gone_and_ids_begin_at_one_when_another_test_has_written(
    database: Database, clock: ManualClock, turn: int
) -> None:
    with database.transaction() as connection:
        row = {"created_at": clock.now(), "updated_at": clock.now()}
        assert connection.execute(insert(profile).values(row)).inserted_primary_key == (1,)


def test_the_schema_is_there_when_a_database_is_asked_for(database: Database) -> None:
    with database.read() as connection:
        assert "alembic_version" in inspect(connection).get_table_names()


@pytest.mark.parametrize("address", [("203.0.113.1", 80), ("mail.example.com", 25)])
def test_a_connection_is_refused_when_it_leaves_this_machine(address: tuple[str, int]) -> None:
    with pytest.raises(NetworkRefusedError):
        socket.create_connection(address, timeout=1)


def test_a_connection_is_made_when_it_stays_on_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_the_clock_stands_still_when_nobody_moves_it(clock: ManualClock) -> None:
    assert clock.now() == clock.now()
    assert clock.now().isoformat() == "2026-06-10T08:00:00+00:00"


def test_the_cluster_ends_when_its_holder_is_killed(tmp_path: Path) -> None:
    programs = databases.find_programs()
    if programs is None:
        pytest.skip(f"PostgreSQL is not installed; run: {databases.INSTALL_BY_HAND}")
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(programs)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert holder.stdout is not None
    with holder:
        folder = Path(holder.stdout.readline().strip())
        server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, 0)
        holder.kill()
    assert _happens(lambda: not folder.exists())
    assert _happens(lambda: not Path(f"/proc/{server}").exists())


_HOLD = """
import sys, time
from pathlib import Path
from tests.databases import cluster_folder, cluster_url
with cluster_folder() as folder:
    cluster_url(folder, Path(sys.argv[1]))
    print(folder, flush=True)
    time.sleep(60)
"""


def _happens(condition: Callable[[], bool], within_s: float = 20) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
