"""The figures of tracking: `make bench NAME=tracking`. The last line is one JSON object.

The server runs on one core and its client, this process, on another; a bare ASGI application that answers the same
picture runs in the same way, because machines differ and are shared. CPU is that of the whole server process:
`pixel_cpu_us` and `pixel_per_s` until an open is verified, sealed and durable in the log; `pixel_loaded_…` with the
loader at work on the same core, until it is in the database, and so with everything else.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.ingestion_client import Load, get, post
from benchmarks.ingestion_server import settings_of
from benchmarks.mailing import ROOT, build_mailing, open_mailing
from core.clock import SystemClock, to_micros
from core.runtime import Runtime
from customers.tables import customer_event, event_key, profile
from delivery.tables import message
from tracking.events.write_keys import create_write_key
from tracking.tables import engagement_event, quarantine
from tracking.tokens import KeyRing, TokenKind, write

_SERVER_CORE, _CLIENT_CORE = 0, 1
_CONNECTIONS = 256
_PIXELS = 40_000
_MESSAGES = 5_000
_EVENTS = 60_000
_EVENTS_A_REQUEST = 100
_PEOPLE = 5_000
_PACED_S = 8
_KILLS = 12
_KILL_CLIENTS = 64
_SNIPPET = ROOT / "tracking" / "snippet" / "postilion.js"
_START_S = 30
_PATIENCE_S = 120


class _Server:
    """A server of one kind, until the block ends."""

    def __init__(self, kind: str, folder: Path, database_url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        words = [kind, str(folder), database_url, str(self.port), str(_SERVER_CORE)]
        command = [sys.executable, "-m", "benchmarks.ingestion_server", *words]
        self.process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.process.kill()
                raise RuntimeError(f"the {kind} server did not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def cpu_s(self) -> float:
        """What the process has used so far, in user and kernel."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _shop(folder: Path, database_url: str, *, people: int, messages: bool = False) -> Iterator[Runtime]:
    settings = settings_of(folder, database_url, "log")
    build_mailing(settings, people, queued=messages)
    with open_mailing(settings, SystemClock()) as runtime:
        if not runtime.database.is_sqlite:  # the crowd was written with its numbers
            with runtime.database.transaction() as connection:
                highest = select(func.max(profile.c.id)).scalar_subquery()
                connection.execute(select(func.setval(func.pg_get_serial_sequence("profile", "id"), highest)))
        yield runtime


def _sqlite(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'postilion.db'}"


# -- pixels ---------------------------------------------------------------------------------------------------------


def _pixels(folder: Path, scale: float) -> dict[str, Any]:
    """Opens of many mails over 256 connections, beside a bare ASGI picture."""
    url, number = _sqlite(folder), int(_PIXELS * scale)
    with _shop(folder, url, people=_MESSAGES, messages=True) as runtime:
        with runtime.database.read() as connection:
            token_ids = connection.execute(select(message.c.token_id)).scalars().all()
        ring = KeyRing.derive(runtime.vault.signing_key, runtime.vault.key_version)
        paths = [get(f"/o/{write(ring, TokenKind.OPEN, one)}.gif") for one in token_ids]
        raw = [_pull("raw", folder, url, paths, number)]
        ours = _pull("log", folder, url, paths, number)
        raw.append(_pull("raw", folder, url, paths, number))
        held = _pull("held", folder, url, paths, number)
        direct = _pull("database", folder, url, paths, number // 4)
        wanted = ours["served"] + held["served"] + direct["served"]
        with _Server("log", folder, url):  # loads what was held
            _wait_for(runtime, int(wanted), engagement_event)
    raw_cpu, raw_per_s = min(one["cpu_us"] for one in raw), max(one["per_s"] for one in raw)
    return {
        "pixel_cpu_us": held["cpu_us"],
        "pixel_raw_cpu_us": raw_cpu,
        "pixel_cpu_over_raw": held["cpu_us"] / raw_cpu,
        "pixel_per_s": held["per_s"],
        "pixel_raw_per_s": raw_per_s,
        "pixel_per_s_over_raw": held["per_s"] / raw_per_s,
        "pixel_loaded_cpu_us": ours["all_cpu_us"],
        "pixel_loaded_per_s": ours["per_s"],
        "pixel_loaded_per_s_over_raw": ours["per_s"] / raw_per_s,
        "pixel_database_cpu_us": direct["cpu_us"],
        "pixel_database_per_s": direct["per_s"],
    }


def _pull(kind: str, folder: Path, url: str, paths: list[bytes], number: int) -> dict[str, float]:
    """`all_cpu_us` is with everything that is left to be done when the last is answered."""
    statuses: Counter[int] = Counter()
    with _Server(kind, folder, url) as server:
        for size in (number // 10, number):
            statuses.clear()
            requests = ((None, one) for one in islice(cycle(paths), size))
            begun, cpu = time.perf_counter(), server.cpu_s()
            Load(server.port, requests, _CONNECTIONS, lambda _name, status: statuses.update((status,))).run()
            seconds, used = time.perf_counter() - begun, server.cpu_s() - cpu
        time.sleep(0 if kind == "raw" else 3)
        used_in_all = server.cpu_s() - cpu
    if statuses != {200: number}:
        raise RuntimeError(f"{kind}: {dict(statuses)} instead of {number} times 200")
    return {
        "per_s": number / seconds,
        "cpu_us": used / number * 1e6,
        "all_cpu_us": used_in_all / number * 1e6,
        "served": number + number // 10,
    }


# -- events ---------------------------------------------------------------------------------------------------------


def _event(number: int, people: int = _PEOPLE) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": f"m-{number}",
        "userId": f"user-{number * 7919 % people}",
        "event": "Page Viewed",
        "properties": {"path": f"/products/{number % 97}", "note": f"seen {number}"},
        "context": {"library": {"name": "bench", "version": "1"}},
    }


def _batches(folder: Path, url: str, kind: str, scale: float) -> tuple[float, float]:
    """Events a second, 100 a request, from the first request until the last is in the database; and CPU µs of each."""
    number = int(_EVENTS * scale) // _EVENTS_A_REQUEST * _EVENTS_A_REQUEST
    with _shop(folder, url, people=100) as runtime:
        key = _key(runtime)
        bodies = [
            json.dumps({"batch": [_event(first + place) for place in range(_EVENTS_A_REQUEST)]}).encode()
            for first in range(0, number + 5_000, _EVENTS_A_REQUEST)
        ]
        requests = [(None, post("/v1/batch", body, key)) for body in bodies]
        statuses: Counter[int] = Counter()
        with _Server(kind, folder, url) as server:
            begun = cpu = 0.0
            for some in (requests[number // _EVENTS_A_REQUEST :], requests[: number // _EVENTS_A_REQUEST]):
                before, begun, cpu = _count(runtime, event_key), time.perf_counter(), server.cpu_s()
                Load(server.port, iter(some), 16, lambda _name, status: statuses.update((status,))).run()
                _wait_for(runtime, before + len(some) * _EVENTS_A_REQUEST)
            seconds, used = time.perf_counter() - begun, server.cpu_s() - cpu
    if set(statuses) != {200}:
        raise RuntimeError(f"answers: {dict(statuses)}")
    return number / seconds, used / number * 1e6


def _wait_for(runtime: Runtime, rows: int, table: Any = event_key) -> None:
    """Until exactly so many are there."""
    deadline = time.monotonic() + _PATIENCE_S
    while (found := _count(runtime, table)) != rows:
        if time.monotonic() > deadline or found > rows:
            raise RuntimeError(f"{found} of {rows} rows are in the database")
        time.sleep(0.05)


def _freshness(folder: Path, scale: float) -> dict[str, float]:
    """1,000 events a second, one a request: from its sending until an event stands with its person."""
    url, number = _sqlite(folder), int(1_000 * _PACED_S * scale)
    with _shop(folder, url, people=100) as runtime:
        key, clock = _key(runtime), SystemClock()
        delays: list[float] = []
        done = threading.Event()

        def requests() -> Iterator[tuple[object, bytes]]:
            for place in range(number):
                event = _event(place) | {"timestamp": clock.now().isoformat()}
                yield None, post("/v1/track", json.dumps(event).encode(), key)

        def watch() -> None:
            seen = 0
            while not done.is_set() and len(delays) < number:
                with runtime.database.read() as connection:
                    query = select(customer_event.c.id, customer_event.c.occurred_at)
                    rows = connection.execute(
                        query.where(
                            customer_event.c.id > seen,
                            customer_event.c.source == "bench",
                            customer_event.c.profile_id.is_not(None),
                        ).order_by(customer_event.c.id)
                    ).all()
                now = to_micros(clock.now())
                delays.extend((now - to_micros(row.occurred_at)) / 1_000 for row in rows)
                seen = rows[-1].id if rows else seen
                time.sleep(0.05)

        with _Server("log", folder, url) as server:
            watching = threading.Thread(target=watch)
            watching.start()
            Load(server.port, requests(), 32, lambda _name, _status: None, per_s=1_000).run()
            watching.join(30)
            done.set()
    if len(delays) < number:
        raise RuntimeError(f"{len(delays)} of {number} events arrived")
    delays.sort()
    return {
        "event_to_profile_p50_ms": delays[len(delays) // 2],
        "event_to_profile_p99_ms": delays[int(len(delays) * 0.99)],
    }


# -- crashes --------------------------------------------------------------------------------------------------------


def _kill9(folder: Path, scale: float) -> dict[str, Any]:
    """Acknowledged events that are not there, or there twice, after many kills under load; and those of the control."""
    ours = _kill(folder / "ours", "log", max(2, round(_KILLS * scale)))
    control = _kill(folder / "control", "early", max(2, round(_KILLS * scale)))
    figures = {name: ours[name] for name in ("kills", "acknowledged", "lost", "doubled")}
    return {"kill9": {**figures, "control_lost": control["lost"]}}


def _kill(folder: Path, kind: str, kills: int) -> dict[str, int]:
    url = _sqlite(folder)
    acknowledged: set[object] = set()
    numbers = count()
    with _shop(folder, url, people=100) as runtime:
        key = _key(runtime)

        def requests() -> Iterator[tuple[object, bytes]]:
            for number in numbers:
                yield f"bench:m-{number}", post("/v1/track", json.dumps(_event(number)).encode(), key)

        def answered(name: object, status: int) -> None:
            if status == 200:
                acknowledged.add(name)

        for turn in range(kills):
            with _Server(kind, folder, url) as server:
                # A different moment each time.
                killer = threading.Timer(0.7 + turn % 7 * 0.13, server.process.send_signal, [signal.SIGKILL])
                killer.start()
                Load(server.port, requests(), _KILL_CLIENTS, answered).run()
                killer.join()
                server.process.wait(10)
        with _Server("log", folder, url):  # takes over what the killed ones left
            _settle(runtime)
        with runtime.database.read() as connection:
            stored = set(connection.scalars(select(event_key.c.key)))
            event_count = _count(runtime, customer_event, customer_event.c.source == "bench")
    keys = {one for one in stored if one.startswith("bench:")}
    return {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - stored),
        "doubled": event_count - len(keys),
    }


def _settle(runtime: Runtime) -> None:
    """Wait until nothing more comes for two seconds."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 2:
        now = _count(runtime, event_key)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.2)


def _fsync(folder: Path, scale: float) -> dict[str, int]:
    """How many were acknowledged by a server whose `fdatasync` raises."""
    url, statuses = _sqlite(folder), Counter[int]()
    with _shop(folder, url, people=100) as runtime:
        key = _key(runtime)
        requests = ((None, post("/v1/track", json.dumps(_event(one)).encode(), key)) for one in range(int(500 * scale)))
        with _Server("broken", folder, url) as server:
            Load(server.port, requests, 16, lambda _name, status: statuses.update((status,))).run()
        if _count(runtime, quarantine) or set(statuses) != {503}:
            raise RuntimeError(f"answers: {dict(statuses)}")
    return {"fsync_failure_acknowledged": statuses[200]}


def _key(runtime: Runtime) -> str:
    with runtime.database.transaction() as connection:
        return create_write_key(connection, runtime.vault, kind="secret", name="bench", now=runtime.clock.now())


def _count(runtime: Runtime, table: Any, *where: Any) -> int:
    with runtime.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


# -- all of it ------------------------------------------------------------------------------------------------------


def _on_sqlite(folder: Path, scale: float) -> dict[str, float]:
    per_s, cpu_us = _batches(folder / "log", _sqlite(folder / "log"), "log", scale)
    straight_per_s, straight_cpu_us = _batches(folder / "db", _sqlite(folder / "db"), "database", scale)
    return {
        "batch_events_per_s_sqlite": per_s,
        "batch_event_cpu_us_sqlite": cpu_us,
        "batch_events_per_s_sqlite_database": straight_per_s,
        "batch_event_cpu_us_sqlite_database": straight_cpu_us,
    }


def _on_postgresql(folder: Path, scale: float) -> dict[str, float]:
    """On a private cluster; without PostgreSQL there is no figure."""
    from tests import databases

    programs = databases.find_programs()
    if programs is None:
        return {}
    with databases.cluster_folder() as cluster:
        url = databases.cluster_url(cluster, programs)
        per_s, cpu_us = _batches(folder, url, "log", scale)
    return {"batch_events_per_s_postgresql": per_s, "batch_event_cpu_us_postgresql": cpu_us}


def _snippet(_folder: Path, _scale: float) -> dict[str, int]:
    return {"snippet_bytes_gz": len(gzip.compress(_SNIPPET.read_bytes(), 9))} if _SNIPPET.exists() else {}


_PARTS = {
    "pixels": _pixels,
    "sqlite": _on_sqlite,
    "postgresql": _on_postgresql,
    "freshness": _freshness,
    "kill9": _kill9,
    "fsync": _fsync,
    "snippet": _snippet,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the load, for a quick look")
    parser.add_argument("--only", choices=list(_PARTS), action="append", help="this part alone; may be repeated")
    given: Any = parser.parse_args()
    os.sched_setaffinity(0, {_CLIENT_CORE})
    figures: dict[str, Any] = {}
    for part in given.only or _PARTS:
        print(f"{part} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="postilion-bench-") as name:
            folder = Path(name) / part
            folder.mkdir()
            figures |= _PARTS[part](folder, given.scale)
    print(json.dumps({name: round(it, 3) if isinstance(it, float) else it for name, it in figures.items()}))


if __name__ == "__main__":
    main()
