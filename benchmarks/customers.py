"""The figures of the customer view: `make bench NAME=customers`. The last line is one JSON object.

Imports are measured on SQLite and PostgreSQL from a CSV file with an address to be sealed and 12 attributes; looking
up, reading and erasing on SQLite among a million people, whose rows are written directly and are those that an import
would have made. Each part runs in a process of its own, so that none inherits another's caches.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.crowd import NOW, WORKSPACE, Crowd, build_crowd
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.key_store import open_key_store
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from customers.workspace import get_workspace

ROOT = Path(__file__).resolve().parent.parent
_ROWS = 200_000
_PEOPLE = 1_000_000
_ENTRIES = 10_000
_LOOKUPS = 2_000
_PAGES = 300
_SEALS = 20_000
_CANARIES = ("canary-zelda", "zelda.canary@people.example")
_PART_S = 500
_HEADER = (
    "id", "email", "first_name", "last_name", "birthday", "city", "country", "tier", "visits", "score", "is_vip",
    "joined", "shop", "language",
)  # fmt: skip
_MAPPING = """\
import: profiles
source: bench
timezone: UTC
columns:
  external_id: id
  email: email
  first_name: first_name
  last_name: last_name
  birthday: birthday
  city: city
  country: country
  tier: tier
  visits: visits
  score: score
  is_vip: is_vip
  joined: joined
  shop: shop
  language: language
"""


def measure_import(url: str, folder: Path, rows: int) -> float:
    """Profiles a second, from an empty database to the last commit."""
    import migrations
    from customers.imports.mapping import load_mapping
    from customers.imports.run import run_import

    migrations.upgrade(url)
    file, mapping_file = folder / "people.csv", folder / "profiles.yaml"
    _write_people(file, rows)
    mapping_file.write_text(_MAPPING)
    with _runtime(url, folder) as runtime:
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
        mapping = load_mapping(mapping_file, workspace)
        begun = time.perf_counter()
        result = run_import(
            runtime,
            workspace,
            "profiles",
            file,
            mapping,
            progress=lambda _done, _total: None,
            rejects_file=folder / "rejects.csv",
            now=NOW,
        )
        seconds = time.perf_counter() - begun
    if result.imported_count != rows:
        raise RuntimeError(f"{result.imported_count} of {rows} people were imported: {dict(result.rejected)}")
    return rows / seconds


def measure_sealing(folder: Path) -> dict[str, float]:
    """Microseconds to seal and to open one address, each under a key of its own, keys at hand."""
    vault = Vault(create_key(folder / "key"), open_key_store(f"sqlite:///{folder / 'keys.db'}"))
    vault.create_store()
    ids = range(1, _SEALS + 1)
    vault.prepare(ids)
    begun = time.perf_counter()
    sealed = [vault.seal(number, "identity.email", f"person{number}@people.example") for number in ids]
    between = time.perf_counter()
    for number, value in zip(ids, sealed, strict=True):
        vault.open(number, "identity.email", value)
    ended = time.perf_counter()
    vault.close()
    return {"seal_us": (between - begun) / _SEALS * 1e6, "open_us": (ended - between) / _SEALS * 1e6}


def measure_crowd(folder: Path, people: int) -> dict[str, float]:
    """Looking up, reading and erasing among `people`, one of whom has 10,000 entries and a canary's name."""
    import migrations

    url = f"sqlite:///{folder / 'postilion.db'}"
    migrations.upgrade(url)
    with _runtime(url, folder) as runtime:
        crowd = build_crowd(runtime, people, _ENTRIES, canaries=_CANARIES)
        print(f"{people:,} people in {crowd.seconds:.0f} s", file=sys.stderr, flush=True)
        figures = {"lookup_p99_ms": _lookups(runtime, crowd), "timeline_p99_ms": _pages(runtime, crowd)}
        hits = _canary_hits(folder)
        figures["erase_s"] = _erase(runtime, crowd)
    figures["canary_hits"] = hits + _canary_hits(folder)
    return figures


def _lookups(runtime: Runtime, crowd: Crowd) -> float:
    """By e-mail to the profile's id, over people spread evenly; the first ones warm nothing that others need."""
    from customers.profiles import find_profile

    step = max(1, crowd.people // _LOOKUPS)
    times = []
    for number in range(1, crowd.people + 1, step):
        begun = time.perf_counter()
        with runtime.database.read() as connection:
            found = find_profile(connection, runtime.vault, "email", crowd.email_of(number))
        times.append(time.perf_counter() - begun)
        if found != number:
            raise RuntimeError(f"person {number} was looked up and {found} was found")
    return _p99_ms(times)


def _pages(runtime: Runtime, crowd: Crowd) -> float:
    """The first page of the person with 10,000 entries, summary and all, with everything on it opened."""
    from console.timeline.read import read_timeline
    from console.timeline.summary import summarise

    times = []
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    for _ in range(_PAGES):
        begun = time.perf_counter()
        with runtime.database.read() as connection:
            summarise(connection, runtime.vault, workspace, crowd.busy_id, NOW)
            page = read_timeline(connection, runtime.vault, crowd.busy_id)
        times.append(time.perf_counter() - begun)
    if not page.entries:
        raise RuntimeError("the page is empty")
    return _p99_ms(times)


def _erase(runtime: Runtime, crowd: Crowd) -> float:
    from console.rights.erasure import erase_profile

    begun = time.perf_counter()
    erase_profile(runtime, crowd.busy_id, requested_by="benchmark", now=NOW + timedelta(days=1))
    return time.perf_counter() - begun


def _canary_hits(folder: Path) -> int:
    """How often a marked value stands in clear in any file."""
    from tests.canary import search

    return len(search(_CANARIES, [folder]))


@contextmanager
def _runtime(url: str, folder: Path) -> Iterator[Runtime]:
    """A workspace with 12 attributes, four of them personal."""
    vault = Vault(create_key(folder / "workspace.key"), open_key_store(f"sqlite:///{folder / 'keys.db'}"))
    vault.create_store()
    database = Database(url)
    with database.transaction() as connection:
        publish(connection, "workspace", "bench", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
    settings = Settings(project=str(folder), state=str(folder), database_url=url)
    yield Runtime(settings, database, vault, ManualClock(NOW))
    database.close()
    vault.close()


def _write_people(file: Path, rows: int) -> None:
    first = datetime(1950, 1, 1, tzinfo=UTC)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        for number in range(rows):
            writer.writerow(
                (
                    f"C{number:07d}",
                    f"person{number}@mail{number % 97}.example",
                    f"First{number % 4_001}",
                    f"Last{number % 9_001}",
                    f"{first + timedelta(days=number % 20_000):%Y-%m-%d}",
                    f"City {number % 501}",
                    ("GB", "DE", "FR")[number % 3],
                    ("gold", "silver", "plain")[number % 3],
                    number % 250,
                    f"{number % 1_000 / 10:.1f}",
                    ("true", "false")[number % 2],
                    f"{first + timedelta(days=15_000 + number % 9_000):%Y-%m-%d}",
                    f"Shop {number % 41}",
                    ("en", "de", "fr")[number % 3],
                )
            )


def _p99_ms(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98] * 1_000


def _import_sqlite(folder: Path, scale: float) -> dict[str, float]:
    rate = measure_import(f"sqlite:///{folder / 'postilion.db'}", folder, int(_ROWS * scale))
    return {"import_profiles_per_s_sqlite": rate}


def _import_postgresql(folder: Path, scale: float) -> dict[str, float]:
    """On a private cluster; without PostgreSQL there is no figure."""
    from tests import databases

    programs = databases.find_programs()
    if programs is None:
        return {}
    with databases.cluster_folder() as cluster:
        url = databases.cluster_url(cluster, programs)
        return {"import_profiles_per_s_postgresql": measure_import(url, folder, int(_ROWS * scale))}


_PARTS: dict[str, Callable[[Path, float], dict[str, float]]] = {
    "import_sqlite": _import_sqlite,
    "import_postgresql": _import_postgresql,
    "sealing": lambda folder, _scale: measure_sealing(folder),
    "crowd": lambda folder, scale: measure_crowd(folder, int(_PEOPLE * scale)),
}


def _in_a_process(part: str, scale: float) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.customers", "--part", part, "--scale", str(scale)]
    done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=_PART_S)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the people, for a quick look")
    parser.add_argument("--part", choices=list(_PARTS), help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.part:
        with tempfile.TemporaryDirectory(prefix="postilion-bench-") as name:
            print(json.dumps(_PARTS[given.part](Path(name), given.scale)))
        return
    figures: dict[str, float] = {}
    for part in _PARTS:
        print(f"{part.replace('_', ' ')} …", flush=True)
        figures |= _in_a_process(part, given.scale)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
