"""The figures of journeys: `make bench NAME=journeys`. The last line is one JSON object.

A million people are inside one journey of six steps. A transition is one call of the engine and everything that it
causes, committed: a timer has run out, one step is over and the next begins. `bare` are the same rows written by the
same statements and nothing else, in the same run. What is measured runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

import migrations
from benchmarks.journey_answers import measure_answers
from benchmarks.journey_crash import measure_crash
from benchmarks.journey_lateness import measure_lateness
from benchmarks.journey_simulation import measure_simulation
from benchmarks.journey_world import MINUTES, START, fill_town, open_town
from core.bulk import insert_few, insert_fresh, set_rows
from core.clock import to_micros
from core.database import batches
from core.heap import collect_seldom
from core.runtime import Runtime
from journeys.tables import enrolment, journal, timer
from journeys.tick import tick_until_idle

ROOT = Path(__file__).resolve().parent.parent
_PEOPLE = 1_000_000
_MINUTES_MEASURED = 3  # of MINUTES: 60,000 transitions of a million people
_HOUR = timedelta(hours=1)
_BATCH = 2_000
_SIMULATED = 20_000  # people, for ninety days
_DAY = 86_400 * 1_000_000  # microseconds
_PART_S = 3_000
_VALUES = "sum(length(kind) + length(CAST(data AS text)) + 8 + 4 + 2 + 8)"  # what the columns of a row say

Figures = dict[str, Any]


def measure_core(folder: Path, people: int, url: str | None, *, apart: bool = False) -> Figures:
    """Transitions a second, those of the bare loop, and the bytes that a transition adds to the journal.

    `apart`: nobody stands like another, so that the engine is called for each.
    """
    with open_town(folder, url) as runtime:
        fill_town(runtime, people, apart=apart)
        tick_until_idle(runtime, START + timedelta(minutes=1))  # reads what is published
        _settle(runtime)
        tick_until_idle(runtime, START + _HOUR)
        collect_seldom()
        before = _journal_rows(runtime)
        begun, used, count = time.perf_counter(), time.process_time(), 0
        for minute in range(1, 1 + _MINUTES_MEASURED):
            count += tick_until_idle(runtime, START + _HOUR + timedelta(minutes=minute)).timers
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        rows = _journal_rows(runtime) - before
        bare_s, bare_count = _write_bare(runtime, people)
        return {
            "transitions_per_s_core": count / seconds,
            "transition_us": seconds / count * 1e6,
            "transition_cpu_us": used / count * 1e6,
            "over_bare": (count / seconds) / (bare_count / bare_s),
            "journal_bytes_per_transition": _journal_bytes(runtime, _VALUES) * rows / count,
            **_on_disk(runtime, rows, count),
        }


def _settle(runtime: Runtime) -> None:
    """Leave nothing to the database that belongs to the making of the world."""
    if runtime.database.is_sqlite:
        runtime.database.drop_traces()
        return
    with runtime.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("CHECKPOINT")


def _journal_rows(runtime: Runtime) -> int:
    with runtime.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(journal)) or 0


def _journal_bytes(runtime: Runtime, size: str) -> float:
    """The bytes of one row of the journal by the expression `size`."""
    with runtime.database.read() as connection:
        whole = float(connection.exec_driver_sql(f"SELECT {size} FROM journal").scalar_one())
        return whole / (connection.scalar(select(func.count()).select_from(journal)) or 1)


def _on_disk(runtime: Runtime, rows: int, count: int) -> Figures:
    """What a transition takes of PostgreSQL's files: with the heads of its rows, their padding and the index."""
    if runtime.database.is_sqlite:
        return {}
    whole = _journal_bytes(runtime, "max(pg_total_relation_size('journal'))")
    return {"journal_disk_bytes_per_transition": whole * rows / count}


def _write_bare(runtime: Runtime, people: int) -> tuple[float, int]:
    """Write what a transition writes, for people who were not moved: seconds, and how many transitions."""
    share = -(-people // MINUTES)
    first = (2 + _MINUTES_MEASURED) * share + 1
    numbers = list(range(first, min(first + _MINUTES_MEASURED * share, people + 1)))
    with runtime.database.read() as connection:
        row = connection.execute(select(enrolment).where(enrolment.c.step == "second").limit(1)).one()
    at = to_micros(START + _HOUR)
    state = msgspec.json.encode(row.state).decode()
    said = [
        ("step", '{"step":"first","outcome":"done"}'),
        ("waiting", '{"step":"second","until":"2026-06-11T09:01:00+00:00"}'),
    ]
    saved = (
        "id", "status", "position", "step", "state", "step_entered_at", "ended_at", "end_reason", "goal_at",
        "journal_seq",
    )  # fmt: skip
    lots = [
        (
            [
                (number, "active", '["steps",1]', "second", state, at, None, None, None, row.journal_seq)
                for number in some
            ],
            [
                (number, row.journal_seq - 1 + place, at, kind, data)
                for number in some
                for place, (kind, data) in enumerate(said)
            ],
            [(number, "step", at + _DAY) for number in some],
        )
        for some in batches(numbers, _BATCH)
    ]
    again = "(enrolment_id, kind) DO UPDATE SET due_at = excluded.due_at"
    begun = time.perf_counter()
    for moved, entries, timers in lots:
        with runtime.database.transaction() as connection:
            set_rows(connection, enrolment, saved, moved)
            insert_fresh(connection, journal, ("enrolment_id", "seq", "at", "kind", "data"), entries)
            insert_few(connection, timer, ("enrolment_id", "kind", "due_at"), timers, on_conflict=again)
    return time.perf_counter() - begun, len(numbers)


def measure_sqlite(folder: Path, people: int) -> Figures:
    migrations.upgrade(f"sqlite:///{folder / 'town.db'}")
    return measure_core(folder, people, None)


def measure_sqlite_apart(folder: Path, people: int) -> Figures:
    migrations.upgrade(f"sqlite:///{folder / 'town.db'}")
    found = measure_core(folder, people, None, apart=True)
    return {"transitions_per_s_core_apart": found["transitions_per_s_core"], "over_bare_apart": found["over_bare"]}


def measure_running(folder: Path, people: int) -> Figures:
    """What the real loop makes of many timers at once, and of a stream of events."""
    found: Figures = {}
    for name, measure in (("lateness", measure_lateness), ("answers", measure_answers)):
        own = folder / name
        own.mkdir()
        migrations.upgrade(f"sqlite:///{own / 'town.db'}")
        found |= measure(own, people)
    return found


def measure_postgresql(folder: Path, people: int) -> Figures:
    """On a private cluster; without PostgreSQL there is no figure."""
    from tests import databases

    programs = databases.find_programs()
    if programs is None:
        return {}
    with databases.cluster_folder() as cluster:
        url = databases.cluster_url(cluster, programs)
        migrations.upgrade(url)
        return measure_core(folder, people, url)


_PARTS: Mapping[str, Callable[[Path, int], Figures]] = {
    "sqlite": measure_sqlite,
    "postgresql": measure_postgresql,
    "sqlite_apart": measure_sqlite_apart,
    "running": measure_running,
    "simulation": lambda folder, people: dict(measure_simulation(folder, min(people // 10, _SIMULATED))),
    "crash": lambda folder, _people: {"crash": measure_crash(folder)},
}
_CORE = ("sqlite", "postgresql")  # whose figures are told apart by their engine


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the people, for a quick look")
    parser.add_argument("--only", choices=list(_PARTS), action="append", help="this part alone; may be repeated")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.step:
        name, folder, people = given.step
        print(json.dumps(_PARTS[name](Path(folder), int(people))))
        return
    people = int(_PEOPLE * given.scale)
    figures: Figures = {}
    for part in given.only or list(_PARTS):
        print(f"{part}, {people:,} people …", flush=True)
        found = _in_a_process(part, people)
        figures |= {f"{name}_{part}" if part in _CORE else name: figure for name, figure in found.items()}
        if part == "sqlite":
            small = _in_a_process(part, people // 10)
            figures["journal_bytes_per_transition"] = found["journal_bytes_per_transition"]
            figures["growth_1m_over_100k"] = found["transition_us"] / small["transition_us"]
    print(json.dumps({name: round(one, 3) if isinstance(one, float) else one for name, one in figures.items()}))


def _in_a_process(part: str, people: int) -> Figures:
    """The figures of one part in a folder of its own; its remarks go to the terminal."""
    with tempfile.TemporaryDirectory(prefix="postilion-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.journeys", "--step", part, folder, str(people)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_PART_S, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    print(f"  {json.dumps(figures)}", file=sys.stderr, flush=True)
    return figures


if __name__ == "__main__":
    main()
