"""Worker processes for the benchmarks of delivery: each sends what is due until nothing is, and tells what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.mailing import ROOT, open_mailing, settings_for
from core.heap import collect_seldom

WARMING = 32  # messages that a process sends before it begins to count
_READY = "ready"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a process came to: CPU in seconds of user and system; `ended_at` on the machine's monotonic clock."""

    count: int
    seconds: float
    cpu_s: float
    ended_at: float


@contextmanager
def senders(
    folder: Path, database_url: str, endpoint: str, *, processes: int, callers: int, transport: str = "ses"
) -> Iterator[list[subprocess.Popen[str]]]:
    """Worker processes that wait for `begin`; none outlives the block."""
    started = [start(folder, database_url, endpoint, callers, transport) for _ in range(processes)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def start(folder: Path, database_url: str, endpoint: str, callers: int, transport: str) -> subprocess.Popen[str]:
    given = {"folder": str(folder), "url": database_url, "endpoint": endpoint, "callers": callers, "via": transport}
    words = [sys.executable, "-m", "benchmarks.senders", json.dumps(given)]
    return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def name_of(process_id: int) -> str:
    """Under which name a worker process claims."""
    return f"bench-{process_id}"


def begin(processes: Sequence[subprocess.Popen[str]]) -> float:
    """Let all of them go once they have loaded everything; answers when, on the monotonic clock."""
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline().strip() != _READY:
            raise RuntimeError("a worker process did not start")
    begun = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return begun


def end(processes: Sequence[subprocess.Popen[str]]) -> list[Sent]:
    """What each came to, when nothing is due any more."""
    found = []
    for process in processes:
        assert process.stdout is not None
        found.append(Sent(**json.loads(process.stdout.readline())))
    return found


def _work(given: dict[str, Any]) -> Sent:
    from campaigns.compose import Composer
    from delivery.providers.registry import create_transports
    from delivery.worker import DeliveryWorker

    settings = settings_for(
        Path(given["folder"]),
        given["url"],
        endpoint=given["endpoint"],
        callers=given["callers"],
        transports=f"email={given['via']}",
    )
    with open_mailing(settings) as runtime:
        transports = create_transports(settings)
        transports["email"].read_rate()  # loads the provider's library
        compose = Composer(runtime).compose
        first = DeliveryWorker(runtime, transports, compose, name=name_of(os.getpid()), batch_size=WARMING)
        first.deliver(runtime.clock.now())  # compiles the template and opens connections
        first.close()
        worker = DeliveryWorker(runtime, transports, compose, name=name_of(os.getpid()))
        collect_seldom()
        print(_READY, flush=True)
        sys.stdin.readline()
        begun, cpu, count = time.monotonic(), time.process_time(), 0
        while (result := worker.deliver(runtime.clock.now(), length=timedelta(minutes=10))).claimed:
            count += result.counts["sent"]
        worker.close()
        ended = time.monotonic()
    return Sent(count, ended - begun, time.process_time() - cpu, ended)


if __name__ == "__main__":
    print(json.dumps(asdict(_work(json.loads(sys.argv[1])))), flush=True)
