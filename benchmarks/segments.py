"""The figures of segments: `make bench NAME=segments`. The last line is one JSON object.

A million people with five order lines and ten events each, in SQLite, and a tenth of them for the growth. `full` asks
ten segments of everybody on a ready snapshot, and the same rules one by one of SQLite; `delta` brings the snapshot up
to date after a twentieth of the people were touched, `incremental` re-evaluates twenty segments for as many. What is
measured runs in a process of its own; the crowd is written once and kept in the system's temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from benchmarks.crowd import NOW
from benchmarks.segment_world import NAMED, copy_crowd, open_world
from core.database import batches
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.orders import NewLine, NewOrder, record_orders
from customers.tables import OrderKind, profile
from customers.touches import touch
from customers.workspace import get_workspace

ROOT = Path(__file__).resolve().parent.parent
_PEOPLE = 1_000_000
_TOUCHED = 20  # one in so many people: 50,000 of a million
_LOT = 1_000
_LATER = NOW + timedelta(minutes=1)  # what happened at NOW lies before it
_RUNS = 3
_FRESHNESS_S = 60.0
_QUICK_S = 15.0  # of fewer people than that
_PART_S = 1_800
_GROWING = {
    "full": "ten_segments_full_s",
    "build": "snapshot_build_s",
    "delta": "snapshot_delta_s",
    "incremental": "incremental_s",
}

Figures = dict[str, Any]


def rank_people(folder: Path, _people: int) -> Figures:
    """The rankings that segments ask for, which are otherwise made in the night."""
    from segments.ranks.ranking import rank_everybody

    with open_world(folder) as runtime:
        return {"ranking_s": _timed(lambda: rank_everybody(runtime, NOW))}


def ask_sqlite(folder: Path, _people: int) -> Figures:
    """Each of the ten rules alone, on the system of record: seconds together, and how many it finds."""
    from segments.compiling.compiler import compile_rule
    from segments.definition import load_segments, rules_of

    found, seconds = {}, 0.0
    with open_world(folder) as runtime, runtime.database.read() as connection:
        workspace, rules = get_workspace(connection), rules_of(load_segments(connection))
        for slug in NAMED:
            begun = time.perf_counter()
            query = compile_rule(rules[slug], now=NOW, workspace=workspace, segments=rules)
            found[slug] = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
            took = time.perf_counter() - begun
            seconds += took
            print(f"  {slug}: {found[slug]:,} people in {took:.2f} s", file=sys.stderr, flush=True)
    return {"ten_segments_sqlite_s": seconds, "found": found}


def ask_snapshot(folder: Path, people: int) -> Figures:
    """Build, ask everybody, touch a twentieth, bring up to date; and the memory that all of it took."""
    from segments.definition import load_segments, rules_of
    from segments.language.nesting import inline
    from segments.population import ask
    from segments.snapshot.build import build_snapshot
    from segments.snapshot.delta import bring_up_to_date
    from segments.snapshot.owned import own_snapshot

    with open_world(folder) as runtime:
        hold_in_memory(folder)
        build_s = _timed(lambda: build_snapshot(runtime))
        with runtime.database.read() as connection:
            workspace, rules = get_workspace(connection), rules_of(load_segments(connection))
        ten = {slug: inline(rules[slug], rules) for slug in NAMED}
        with own_snapshot(runtime) as owned:
            bring_up_to_date(owned, runtime)
            asked = [_timed(lambda: ask(owned, ten, NOW, workspace)) for _ in range(_RUNS)]
            found = {slug: len(members) for slug, members in ask(owned, ten, NOW, workspace).items()}
            touch_some(runtime, _some(people), "delta")
            hold_in_memory(folder)
            delta_s = _timed(lambda: bring_up_to_date(owned, runtime))
    return {
        "snapshot_build_s": build_s,
        "ten_segments_full_s": statistics.median(asked),
        "snapshot_delta_s": delta_s,
        "found": found,
        "peak_mb": _peak_mb(),
    }


def follow_touched(folder: Path, people: int) -> Figures:
    """Build the membership of all twenty, touch a twentieth of the people, and follow until nobody waits.

    Twice: with the database in memory, as a server that runs has it, and with every page to be fetched from the disk.
    """
    figures: Figures = {}
    with open_world(folder) as runtime:
        figures["refresh_20_s"] = _timed(lambda: follow_all(runtime, NOW))
        follow_all(runtime, _LATER)  # whom time alone has changed by then
        for name, prepare in (("incremental", hold_in_memory), ("incremental_cold", put_out_of_memory)):
            touch_some(runtime, _some(people), name)
            prepare(folder)
            begun = time.perf_counter()
            evaluated = follow_all(runtime, _LATER, is_measured=True)
            seconds = time.perf_counter() - begun
            figures |= {f"{name}_s": seconds, f"{name}_profiles_per_s": evaluated / seconds}
    return figures | {"peak_mb": _peak_mb()}


def follow_all(runtime: Runtime, now: datetime, *, is_measured: bool = False) -> int:
    """Tick until nobody waits; answers how many people were asked about again. Measured, it must not ask everybody."""
    from segments.following import follow

    evaluated = 0
    while True:
        result = follow(runtime, now)
        evaluated += result.evaluated
        if result.needs_everybody and is_measured:
            raise RuntimeError("the tick asked everybody instead of following")
        if not result.behind:
            return evaluated


def keep_fresh(folder: Path, people: int) -> Figures:
    """After `follow_touched`, which leaves nobody waiting."""
    from benchmarks.segment_freshness import measure_freshness

    hold_in_memory(folder)
    return dict(measure_freshness(folder, people, _FRESHNESS_S if people >= _PEOPLE else _QUICK_S))


def touch_some(runtime: Runtime, people: Iterable[int], what: str) -> None:
    """Of ten people eight look at something, one orders, and one gets another attribute."""
    for lot in batches(list(people), _LOT):
        looking = [number for number in lot if number % 10 < 8]
        ordering = [number for number in lot if number % 10 == 8]
        changing = [number for number in lot if number % 10 == 9]
        with runtime.database.transaction() as connection:
            workspace = get_workspace(connection)
            append_events(connection, runtime.vault, workspace, [_look(number, what) for number in looking], NOW)
            orders = [_order(number, what) for number in ordering]
            record_orders(connection, runtime.vault, workspace, orders, source="bench", received_at=NOW)
            attributes = func.json_set(profile.c.attributes, "$.visits", profile.c.id % 300)
            connection.execute(update(profile).where(profile.c.id.in_(changing)).values(attributes=attributes))
            touch(connection, changing)


def hold_in_memory(folder: Path) -> None:
    """Let the system's page cache hold the whole database: machines that lend memory take it back within a minute."""
    part = bytearray(1 << 20)
    with (folder / "postilion.db").open("rb", buffering=0) as file:
        while file.readinto(part):
            pass


def put_out_of_memory(folder: Path) -> None:
    """Let the system's page cache hold nothing of the database, as after a start of the machine."""
    for file in folder.glob("postilion.db*"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _look(number: int, what: str) -> NewEvent:
    seen = {"sku": f"S{number % 2_400:04d}", "category": "tea"}
    return NewEvent("product_viewed", NOW, "bench", f"{what}:{number}", number, seen)


def _order(number: int, what: str) -> NewOrder:
    lines = [NewLine(place, f"S{number * place % 2_400:04d}", 1, 1_500) for place in range(1, 4)]
    return NewOrder(f"{what}:{number}", OrderKind.ORDER, number, NOW, "GBP", lines)


def _some(people: int) -> Iterator[int]:
    """A twentieth, from everywhere; with each last digit as often as with any other."""
    return (number * _TOUCHED + number // 2 % _TOUCHED + 1 for number in range(people // _TOUCHED))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_STEPS: Mapping[str, Callable[[Path, int], Figures]] = {
    "rank": rank_people,
    "sqlite": ask_sqlite,
    "snapshot": ask_snapshot,
    "incremental": follow_touched,
    "freshness": keep_fresh,
}
_PARTS = ("sqlite", "snapshot", "incremental", "freshness", "audit")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the people, for a quick look")
    parser.add_argument("--only", choices=_PARTS, action="append", help="these parts; freshness needs incremental")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.step:
        name, folder, people = given.step
        print(json.dumps(_STEPS[name](Path(folder), int(people))))
        return
    parts = given.only or list(_PARTS)
    people = int(_PEOPLE * given.scale)
    figures = _of_a_crowd(people, [part for part in parts if part != "audit"])
    small = _of_a_crowd(people // 10, [part for part in parts if part in ("snapshot", "incremental")])
    figures.pop("found", None)
    figures["growth"] = {
        name: round(figures[key] / small[key], 2) for name, key in _GROWING.items() if key in figures and key in small
    }
    if "audit" in parts:
        from benchmarks.segment_traffic import measure_audit

        print("an hour of traffic …", flush=True)
        figures |= measure_audit()
    print(json.dumps({name: round(one, 3) if isinstance(one, float) else one for name, one in figures.items()}))


def _of_a_crowd(people: int, steps: list[str]) -> Figures:
    """The figures of `steps`, one after another on one copy. RuntimeError when two ways find different people."""
    figures: Figures = {}
    if not steps:
        return figures
    with tempfile.TemporaryDirectory(prefix="postilion-bench-") as name:
        print(f"{people:,} people …", flush=True)
        copy_crowd(Path(name), people)
        for step in ("rank", *steps):
            print(f"{step} of {people:,} …", flush=True)
            found = _in_a_process(step, name, people)
            if figures.get("found", found.get("found")) != found.get("found", figures.get("found")):
                raise RuntimeError(f"SQLite found {figures['found']} and the snapshot {found['found']}")
            print(f"  {json.dumps(found)}", file=sys.stderr, flush=True)
            figures |= found | {"peak_mb": max(found.get("peak_mb", 0.0), figures.get("peak_mb", 0.0))}
    if "ten_segments_sqlite_s" in figures and "ten_segments_full_s" in figures:
        figures["ten_segments_over_sqlite"] = figures["ten_segments_sqlite_s"] / figures["ten_segments_full_s"]
    return figures


def _in_a_process(step: str, folder: str, people: int) -> Figures:
    """The figures of one step; its remarks go to the terminal."""
    command = [sys.executable, "-m", "benchmarks.segments", "--step", step, folder, str(people)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_PART_S, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
