"""The figures of the spine, each beside the same work done bare in the same run: `make bench NAME=spine`.

Machines differ and are shared, so a figure means most against its neighbour. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import idle, import_orders

ROOT = Path(__file__).resolve().parent.parent
_STARTS = 9
_IDLE_S = 60


def main() -> None:
    figures: dict[str, float] = {}
    for title, measure in _MEASUREMENTS.items():
        print(f"{title} …", flush=True)
        figures |= measure()
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def _starts() -> dict[str, float]:
    """Median wall time of `postilion --help` and of a Python that does nothing."""
    commands = {
        "help_seconds": [sys.executable, "-m", "cli.main", "--help"],
        "bare_python_seconds": [sys.executable, "-c", "pass"],
    }
    return {name: statistics.median(_time(command) for _ in range(_STARTS)) for name, command in commands.items()}


def _demo() -> dict[str, float]:
    return {"demo_seconds": _time([sys.executable, "-m", "examples.demo"])}


def _time(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


_MEASUREMENTS: dict[str, Callable[[], dict[str, float]]] = {
    "importing Online Retail": lambda: import_orders.measure(None),
    "starting the command line": _starts,
    f"idling for {_IDLE_S} s": lambda: idle.measure(_IDLE_S),
    "running the demo": _demo,
}


if __name__ == "__main__":
    main()
