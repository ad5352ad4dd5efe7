"""How fast a year of real order lines is imported into SQLite, end to end, and how much memory that takes.

Beside it, in the same process and minute, a plain `executemany` of the rows that came out, because machines differ.
`make bench NAME=import_orders`; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import migrations
from core.clock import ManualClock
from core.database import Database
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.imports.mapping import load_mapping
from customers.imports.run import BATCH_ROWS, run_import
from customers.readers import ParquetFile
from customers.workspace import Workspace

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "online_retail.parquet"
NOW = datetime(2011, 12, 10, tzinfo=UTC)

MAPPING = ROOT / "examples" / "retail" / "imports" / "orders.yaml"


def measure(rows: int | None) -> dict[str, float]:
    """`import_lines_per_s` (lines read of Online Retail), `bare_lines_per_s`, `import_peak_mb`; `rows` limits the file.

    Runs in a child process, so that the peak is the import's own. Raises FileNotFoundError without the data.
    """
    if not DATA.exists():
        raise FileNotFoundError(f"the real data is missing: put {DATA.name} into {DATA.parent}")
    words = [sys.executable, "-m", "benchmarks.import_orders", "--child"]
    if rows is not None:
        words += ["--rows", str(rows)]
    done = subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=900)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _child(rows: int | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="postilion-bench-") as name:
        folder = Path(name)
        file = DATA if rows is None else _beginning(folder, rows)
        url = f"sqlite:///{folder / 'postilion.db'}"
        migrations.upgrade(url)
        vault = Vault(create_key(folder / "key"), open_key_store(f"sqlite:///{folder / 'keys.db'}"))
        vault.create_store()
        database = Database(url)
        workspace = Workspace("retail", "Online Retail", "Europe/London", "GBP", country="GB")
        mapping = load_mapping(MAPPING, workspace)
        begin = time.perf_counter()
        result = run_import(
            Runtime(Settings(), database, vault, ManualClock(NOW)),
            workspace,
            mapping.kind,
            file,
            mapping,
            progress=lambda _done, _total: None,
            rejects_file=folder / "rejects.csv",
            now=NOW,
        )
        seconds = time.perf_counter() - begin
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        database.close()
        vault.close()
        return {
            "import_lines_per_s": round(result.read_count / seconds),
            "bare_lines_per_s": round(_bare(folder)),
            "import_peak_mb": round(peak_kb / 1024),
            "import_lines": result.read_count,
        }


def _bare(folder: Path) -> float:
    """Rows a second of nothing but an insert of the imported lines, equally durable and in equally large pieces."""
    with sqlite3.connect(folder / "postilion.db") as source:
        rows = source.execute("SELECT * FROM order_line").fetchall()
        (create,) = source.execute("SELECT sql FROM sqlite_schema WHERE name = 'order_line'").fetchone()
    source.close()
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute(create)
    remaining, begin = iter(rows), time.perf_counter()
    while piece := list(islice(remaining, BATCH_ROWS)):
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany("INSERT INTO order_line VALUES (?, ?, ?, ?, ?, ?)", piece)
        bare.execute("COMMIT")
    seconds = time.perf_counter() - begin
    bare.close()
    return len(rows) / seconds


def _beginning(folder: Path, rows: int) -> Path:
    """The first `rows` lines of the data, as CSV."""
    source, file = ParquetFile(DATA), folder / "beginning.csv"
    columns = source.columns
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(next(source.iter_batches(columns, rows)))
    source.close()
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, help="only the first so many lines")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    figures: Any = _child(given.rows) if given.child else measure(given.rows)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
