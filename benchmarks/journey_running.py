"""The heartbeat in a process of its own, and a clock that all the processes of a measurement share.

The clock runs as fast as the machine's; what it shows when a measurement begins is the measurement's to say.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.journey_world import open_town
from core.clock import ShiftedClock
from core.heap import collect_seldom
from core.runtime import Runtime
from journeys.heartbeat import is_beating, keep_beating

ROOT = Path(__file__).resolve().parent.parent
_START_S = 60
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Moment:
    """What the shared clock showed (`start`) when the machine's showed `began_at`, in seconds since 1970."""

    start: datetime
    began_at: float

    def clock(self) -> ShiftedClock:
        return ShiftedClock(self.start + timedelta(seconds=time.time() - self.began_at))

    def words(self) -> list[str]:
        return [self.start.isoformat(), str(self.began_at)]


def moment_of(start: str, began_at: str) -> Moment:
    return Moment(datetime.fromisoformat(start), float(began_at))


@contextmanager
def running(module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of `benchmarks.<module>` that does not outlive the block."""
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{module}", *words], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def beating(runtime: Runtime, folder: Path, url: str | None, moment: Moment) -> Iterator[subprocess.Popen[bytes]]:
    """The heartbeat as `postilion up` runs it, from its first beat on."""
    with running("journey_running", str(folder), url or "", *moment.words()) as process:
        deadline = time.monotonic() + _START_S
        while not _is_up(runtime):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the heartbeat did not begin")
            time.sleep(_LOOK_S)
        yield process


def percentiles(name: str, delays: Any) -> dict[str, float]:
    """p50, p99 and the worst of `delays` (seconds), under names that begin with `name`."""
    found = np.array(delays)
    return {
        f"{name}_p50_s": float(np.percentile(found, 50)),
        f"{name}_p99_s": float(np.percentile(found, 99)),
        f"{name}_max_s": float(found.max()),
    }


def _is_up(runtime: Runtime) -> bool:
    with runtime.database.read() as connection:
        return is_beating(connection, runtime.clock.now())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    parser.add_argument("start")
    parser.add_argument("began_at")
    given: Any = parser.parse_args()
    clock = moment_of(given.start, given.began_at).clock()
    with open_town(given.folder, given.url or None, clock) as runtime:
        collect_seldom()
        keep_beating(runtime, life=timedelta(hours=1), is_stopped=lambda: False)


if __name__ == "__main__":
    main()
