"""How long it takes from an event to the membership it brings: one process appends, one ticks, one watches.

The clocks of all three run together from the crowd's present. Every third event is a wish, and whoever wishes for the
first time today enters `wished_lately`; the watcher looks for that in the log forty times a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select

from benchmarks.crowd import NOW
from benchmarks.segment_people import SEED
from benchmarks.segment_world import open_world
from core.clock import ShiftedClock
from customers.log import NewEvent, append_events
from customers.tables import customer_event, profile
from customers.workspace import get_workspace

SEGMENT = "wished_lately"
_A_SECOND = 500
_LOT = 50  # events in a transaction, as a web server's worker would write them
_NAMES = ("wish_added", "product_viewed", "product_added")
_PATIENCE_S = 30.0
_LOOK_S = 0.025
_STORED = "stored.json"
_BEGIN = NOW + timedelta(minutes=2)  # after all that was followed before


def measure_freshness(folder: Path, people: int, seconds: float) -> dict[str, float]:
    """Seconds from a wish's commit to the commit of `segment_entered` as a reader sees it: p50, p99 and the worst.

    Everybody's membership must be up to date before. Raises RuntimeError when a wish brings nobody in.
    """
    began_at = time.time()
    with _running("tick", folder, people, began_at, seconds + _PATIENCE_S) as ticker:
        with open_world(folder, _clock(began_at)) as runtime, runtime.database.read() as connection:
            last_id = connection.scalar(select(func.max(customer_event.c.id))) or 0
            objected = select(profile.c.id).where(profile.c.objected_at.is_not(None))
            in_no_segment = {str(number) for number in connection.scalars(objected)}
        with _running("append", folder, people, began_at, seconds) as writer:
            seen = _watch(folder, began_at, last_id, writer, ticker)
        stored: Mapping[str, float] = json.loads((folder / _STORED).read_text())
    stored = {number: at for number, at in stored.items() if number not in in_no_segment}
    missing = stored.keys() - {str(number) for number in seen}
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(stored)} wishes brought nobody into {SEGMENT}")
    delays = np.array([seen[int(number)] - at for number, at in stored.items()])
    return {
        "freshness_p50_s": float(np.percentile(delays, 50)),
        "freshness_p99_s": float(np.percentile(delays, 99)),
        "freshness_max_s": float(delays.max()),
    }


def _watch(
    folder: Path, began_at: float, last_id: int, writer: subprocess.Popen[bytes], ticker: subprocess.Popen[bytes]
) -> dict[int, float]:
    """When each person was seen to have entered, until nobody has for a while after the last event."""
    seen: dict[int, float] = {}
    event = customer_event.c
    query = select(event.id, event.profile_id, event.name, event.properties).order_by(event.id)
    quiet_since = time.time()
    with open_world(folder, _clock(began_at)) as runtime:
        while ticker.poll() is None and (writer.poll() is None or time.time() - quiet_since < _PATIENCE_S / 4):
            with runtime.database.read() as connection:
                rows = connection.execute(query.where(event.id > last_id)).all()
            now = time.time()
            for row in rows:
                last_id = row.id
                if row.name == "segment_entered" and row.properties["segment"] == SEGMENT:
                    seen.setdefault(row.profile_id, now)
                    quiet_since = now
            time.sleep(_LOOK_S)
    return seen


def append_for(folder: Path, people: int, began_at: float, seconds: float) -> dict[int, float]:
    """Append events at an even pace; answers when the wish of each person was stored."""
    who = iter((np.random.default_rng(SEED).permutation(people) + 1).tolist())
    stored: dict[int, float] = {}
    with open_world(folder, _clock(began_at)) as runtime:
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
        begun = time.time()
        for lot in range(int(seconds * _A_SECOND / _LOT)):
            time.sleep(max(0.0, begun + lot * _LOT / _A_SECOND - time.time()))
            now = runtime.clock.now()
            events = [_event(number, lot * _LOT + place, now) for place, number in zip(range(_LOT), who, strict=False)]
            with runtime.database.transaction() as connection:
                append_events(connection, runtime.vault, workspace, events, now)
            at = time.time()
            stored |= {one.profile_id: at for one in events if one.name == _NAMES[0] and one.profile_id}
        late = time.time() - begun - seconds
    if late > _PATIENCE_S / 10:
        print(f"the events came {late:.1f} s late: the machine is busy", file=sys.stderr, flush=True)
    return stored


def tick_for(folder: Path, began_at: float, seconds: float) -> None:
    """Follow each second, as the heartbeat does."""
    from segments.following import follow

    with open_world(folder, _clock(began_at)) as runtime:
        while time.time() < began_at + seconds:
            begun = time.time()
            follow(runtime, runtime.clock.now())
            time.sleep(max(0.0, begun + 1 - time.time()))


def _event(profile_id: int, number: int, now: Any) -> NewEvent:
    name = _NAMES[number % len(_NAMES)]
    key = f"fresh:{profile_id * 0x9E3779B97F4A7C15 % 2**64:016x}"
    return NewEvent(name, now, "bench", key, profile_id, {"sku": f"S{number % 2_400:04d}", "category": "tea"})


def _clock(began_at: float) -> ShiftedClock:
    return ShiftedClock(_BEGIN + timedelta(seconds=time.time() - began_at))


@contextmanager
def _running(
    what: str, folder: Path, people: int, began_at: float, seconds: float
) -> Iterator[subprocess.Popen[bytes]]:
    words = [what, str(folder), str(people), str(began_at), str(seconds)]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.segment_freshness", *words])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["append", "tick"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("people", type=int)
    parser.add_argument("began_at", type=float)
    parser.add_argument("seconds", type=float)
    given: Any = parser.parse_args()
    if given.what == "append":
        stored = append_for(given.folder, given.people, given.began_at, given.seconds)
        (given.folder / _STORED).write_text(json.dumps(stored))
    else:
        tick_for(given.folder, given.began_at, given.seconds)


if __name__ == "__main__":
    main()
