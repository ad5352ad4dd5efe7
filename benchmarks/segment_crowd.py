"""A crowd for the benchmark of segments in a SQLite file, written once for a size and kept for later runs.

The rows come from `segment_people`, 20,000 people at a time, so that memory stays flat. Events lie in the log in the
order in which they happened, as they would in a real one: what one person did is spread over the whole file.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import migrations
from benchmarks.crowd import NOW
from benchmarks.segment_people import CATEGORIES, COLUMNS, PRODUCTS, draw
from core.clock import to_micros

_CHUNK = 20_000
_NOW = to_micros(NOW)
_FILE = "postilion.db"
_INDEXED = ("profile", "identity", "consent_entry", "customer_order", "message", "engagement_event", "customer_event")


def crowd_file(people: int) -> Path:
    """The file with `people`, from the cache or written now. Copy it: whoever changes it spoils later runs."""
    cache = Path(tempfile.gettempdir()) / "postilion-segment-crowds"
    cache.mkdir(mode=0o700, exist_ok=True)
    folder = cache / f"{people}-{_version(cache)}"
    if not folder.exists():
        for old in cache.glob(f"{people}-*"):
            shutil.rmtree(old)
        begun = time.perf_counter()
        unfinished = Path(tempfile.mkdtemp(prefix="writing-", dir=cache))
        try:
            _write(unfinished, people)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        print(f"{people:,} people written in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return folder / _FILE


def _version(cache: Path) -> str:
    """Changes with the tables and with what is drawn."""
    with tempfile.TemporaryDirectory(prefix="empty-", dir=cache) as name:
        file = Path(name) / _FILE
        migrations.upgrade(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as connection:
            tables = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    digest = hashlib.sha256(repr(tables).encode())
    for module in ("segment_crowd.py", "segment_people.py"):
        digest.update((Path(__file__).parent / module).read_bytes())
    return digest.hexdigest()[:12]


def _write(folder: Path, people: int) -> None:
    file = folder / _FILE
    migrations.upgrade(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-65536", "threads=2"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ? AS unsorted", (str(folder / "unsorted.db"),))
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):
            connection.execute(f"PRAGMA unsorted.{pragma}")
        connection.execute("CREATE TABLE unsorted.event (profile_id, name, occurred_at, properties)")
        with _indexes_later(connection):
            _insert_people(connection, people)
            _insert_events(connection)
        connection.execute("DETACH unsorted")
        connection.execute("PRAGMA journal_mode=WAL")
    (folder / "unsorted.db").unlink()


def _insert_people(connection: sqlite3.Connection, people: int) -> None:
    order_count = 0
    products = [
        (f"S{one:04d}", f"Product {one}", CATEGORIES[one % len(CATEGORIES)], 300 + one * 7 % 4_000, "GBP", _NOW)
        for one in range(PRODUCTS)
    ]
    connection.executemany(
        "INSERT INTO product (sku, name, category, price, currency, is_hidden, is_replenishable, attributes, "
        "updated_at) VALUES (?, ?, ?, ?, ?, 0, 0, '{}', ?)",
        products,
    )
    for first in range(1, people + 1, _CHUNK):
        rows, count = draw(first, min(_CHUNK, people + 1 - first), order_count + 1)
        order_count += count
        connection.execute("BEGIN")
        for table, columns in COLUMNS.items():
            names = columns.split()
            into = f"unsorted.{table}" if table == "event" else table
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {into} ({', '.join(names)}) VALUES ({marks})", rows[table])
        connection.execute("COMMIT")


def _insert_events(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO customer_event (transaction_no, profile_id, name, occurred_at, received_at, source, "
        "is_historical, properties) SELECT 0, profile_id, name, occurred_at, occurred_at, 'bench', 1, properties "
        "FROM unsorted.event ORDER BY occurred_at"
    )
    connection.execute(
        "INSERT INTO event_key (key, received_at) SELECT printf('bench:%010d', id), received_at FROM customer_event "
        "ORDER BY id"
    )
    connection.execute("COMMIT")


@contextmanager
def _indexes_later(connection: sqlite3.Connection) -> Iterator[None]:
    """Drop the indexes of the large tables, and make them again at the end of the block: in one go each."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?"
    indexes = [row for table in _INDEXED for row in connection.execute(query, (table,))]
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, sql in indexes:
        connection.execute(sql)
