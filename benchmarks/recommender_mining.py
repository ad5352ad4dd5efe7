"""What mining costs beside mlxtend and pyfim: `make bench NAME=recommender_mining`. The last line is one JSON object.

CPU seconds from lists of product names to rules at confidence 0.25, each side in a process of its own that has mined
something small before; the best of several runs. Of mlxtend and of pyfim the cheapest set-up counts, and all must find
the same rules. A side whose library is not installed is left out.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.mining_sides import SIDES, Told

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT.parent / "shared" / "data"
SUPPORTS = {"online_retail": 0.01, "retail": 0.001}
_RUNS = {"ours": 7, "mlxtend": 1, "pyfim": 7}
_SIZES = {"online_retail": 19_773, "retail": 88_162}
_WARMING = [["bread", "butter"], ["bread", "butter", "jam"], ["bread", "butter", "jam"], ["tea"]]
_PART_S = 900

# No cancellation, no return, no gift and no fee. Lines stay as they are: a product may stand twice in an invoice.
_CLEANED = """
SELECT list(StockCode) FROM read_parquet(?)
WHERE InvoiceNo NOT LIKE 'C%' AND Quantity > 0 AND UnitPrice > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
GROUP BY InvoiceNo ORDER BY InvoiceNo
"""


def iter_orders(data: str) -> Iterator[list[str]]:
    """The baskets of one file as names of products. Raises FileNotFoundError without it."""
    if data == "retail":
        with gzip.open(_file("retail.dat.gz"), "rt", encoding="ascii") as lines:
            for line in lines:
                yield line.split()
        return
    import duckdb

    with duckdb.connect() as connection:
        rows = connection.execute(_CLEANED, [str(_file("online_retail.parquet"))])
        while lot := rows.fetchmany(5_000):
            yield from (names for (names,) in lot)


def run_side(name: str, data: str) -> dict[str, Any]:
    """The least CPU seconds of one side, how many rules it found, and a hash of them."""
    side = SIDES[name]
    orders, min_count = list(iter_orders(data)), _min_count(data)
    side.mine(_WARMING, 2)
    seconds, mined = [], None
    for _ in range(_RUNS[name.split("_", maxsplit=1)[0]]):
        begun = time.process_time()
        mined = side.mine(orders, min_count)
        seconds.append(time.process_time() - begun)
    told = side.tell(mined)
    return {"cpu_s": min(seconds), "rules": len(told), "hash": _hash(told)}


def measure_memory(data: str) -> dict[str, Any]:
    """The largest memory of a process that mines a file as it reads it, in MB."""
    SIDES["ours"].mine(iter_orders(data), _min_count(data))
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measure_mining() -> dict[str, float]:
    """`mine_vs_mlxtend_…`: how many times our CPU seconds mlxtend needs. `mine_vs_pyfim_…`: how many times pyfim's we
    need. `peak_mb`: memory of mining `retail`. Raises RuntimeError when sides differ in the rules they find.
    """
    figures: dict[str, float] = {}
    for data in SUPPORTS:
        found = {name: _part("side", name, data) for name, side in SIDES.items() if find_spec(side.module)}
        if len({entry["hash"] for entry in found.values()}) > 1:
            raise RuntimeError(f"the sides find different rules in {data}: {found}")
        mine = found["ours"]["cpu_s"]
        figures[f"mine_cpu_s_{data}"] = mine
        for library in ("mlxtend", "pyfim"):
            theirs = [entry["cpu_s"] for name, entry in found.items() if name.startswith(library)]
            if theirs:
                least = min(theirs)
                figures[f"mine_vs_{library}_{data}"] = least / mine if library == "mlxtend" else mine / least
    figures["peak_mb"] = _part("memory", "ours", "retail")["peak_mb"]
    return figures


def _part(kind: str, name: str, data: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.recommender_mining", kind, name, data]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PART_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed: {done.stderr.strip()[-2_000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {data} {name}: {figures}", file=sys.stderr, flush=True)
    return figures


def _min_count(data: str) -> int:
    return ceil(SUPPORTS[data] * _SIZES[data])


def _hash(told: Told) -> str:
    lines = sorted(f"{sorted(left)} {right}" for left, right in told)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _file(name: str) -> Path:
    found = FOLDER / name
    if not found.exists():
        raise FileNotFoundError(f"the real data is missing: put {name} into {FOLDER}")
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        print(json.dumps(run_side(*sys.argv[2:4])))
    elif sys.argv[1:2] == ["memory"]:
        print(json.dumps(measure_memory(sys.argv[3])))
    else:
        print(json.dumps({name: round(value, 3) for name, value in measure_mining().items()}))
