from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.database import Database
from core.keys import create_key, load_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tests.copies import Copies
from tests.customers.conftest import NOW
from tests.customers.importing import contents, import_file

MAPPING = """
import: orders
source: shop
historical: true
columns:
  {order_id: number, placed_at: at, external_id: customer, sku: sku, name: name, quantity: pieces, unit_price: price}
returns: {column: number, starts_with: R}
product_codes: "^[A-Z]{3}-"
synthesise: {email: "customer-{external_id}@shop.sandbox.invalid", consent: [email.marketing]}
"""


def _lines(seed: int, count: int) -> str:
    """Order lines, some of them scattered, some wrong, some without a customer."""
    chance = random.Random(seed)
    rows = ["number,at,customer,sku,name,pieces,price"]
    for place in range(count):
        number = (place - chance.choice([0, 0, 0, 7, 400])) // 5
        customer = "" if number % 11 == 0 else f"c{number % 97}"
        sku = chance.choice(["TEA-001", "TEA-002", "CUP-001", "POST"])
        pieces = chance.choice([1, 2, 3, 1, 1, 0, "many"] if chance.random() < 0.1 else [1, 2])
        word = f"{'R' if number % 13 == 0 else 'F'}{abs(number)}"
        at = f"2026-05-{1 + abs(number) % 28:02d} 10:00"
        rows.append(f"{word},{at},{customer},{sku},Name {place},{pieces},1.{place % 100:02d}")
    return "\n".join(rows) + "\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def two_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of two empty databases with our schema."""
    if request.param == "postgresql":
        copies: Copies = request.getfixturevalue("postgresql_copies")
        urls = (copies.take(), copies.take())
        yield urls
        for url in urls:
            copies.give_back(url)
        return
    template: Path = request.getfixturevalue("sqlite_template")
    first, second = (shutil.copyfile(template, tmp_path / name) for name in ("whole.db", "killed.db"))
    yield f"sqlite:///{first}", f"sqlite:///{second}"


def test_the_rows_are_the_same_when_an_import_is_killed_and_started_again(
    two_databases: tuple[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "shop.key"
    create_key(key)
    outcomes = {}
    for name, url in zip(("whole", "killed"), two_databases, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "orders.csv").write_text(_lines(7, 6_000))
        (folder / "mapping.yaml").write_text(MAPPING)
        keys = f"sqlite:///{folder / 'keys.db'}"
        kills = _kill_often(url, key, keys, folder) if name == "killed" else 0
        database, vault = Database(url), Vault(load_key(key), open_key_store(keys))
        vault.create_store()
        runtime = Runtime(Settings(), database, vault, ManualClock(NOW))
        result = import_file(runtime, folder / "orders.csv", folder / "mapping.yaml", batch_rows=500)
        with database.read() as connection:
            rows = contents(connection)
        outcomes[name] = (rows, (folder / "orders.rejects.csv").read_text(), dict(result.rejected))
        assert name == "whole" or kills >= 3
        vault.close()
        database.close()
    whole, killed = outcomes["whole"], outcomes["killed"]
    for table in whole[0]:
        assert killed[0][table] == whole[0][table], table
    assert killed[1:] == whole[1:]
    assert all(row["line_count"] > 0 for row in killed[0]["customer_order"])


def _kill_often(url: str, key: Path, keys: str, folder: Path) -> int:
    """Start the import again and again, each time killing it a little later; answers how often it was killed."""
    arguments = [url, str(key), keys, str(folder / "orders.csv"), str(folder / "mapping.yaml")]
    kills = 0
    for wait_s in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.customers.importing", *arguments],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        time.sleep(wait_s)
        process.kill()
        process.wait(timeout=20)
        kills += b"ends" not in process.stdout.read()
        process.stdout.close()
    return kills
