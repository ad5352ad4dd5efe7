"""The figures of journeys: `make bench NAME=journeys`. The last line is one JSON object.

A million people are inside one journey of six steps. A transition is one call of the engine and everything that it
causes, committed: a timer has run out, one step is over and the next begins. `bare` are the same rows written by the
same statements and nothing else, in the same run. What is measured runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import func, select

import migrations

# from benchmarks.journey_load import follow_events, measure_lateness
from benchmarks.journey_world import MINUTES, START, fill_town, open_town
from core.bulk import insert_few, insert_fresh, set_rows
from core.clock import to_micros
from core.database import batches
from core.heap import collect_seldom
from core.runtime import Runtime
from journeys.tables import enrolment, journal, timer
from journeys.tick import tick

ROOT = Path(__file__).resolve().parent.parent
_PEOPLE = 1_000_000
_MINUTES_MEASURED = 3  # of MINUTES: 60,000 transitions of a million people
_HOUR = timedelta(hours=1)
_BATCH = 2_000
_PART_S = 3_000

Figures = dict[str, Any]


def measure_core(folder: Path, people: int, url: str | None) -> Figures:
    """Transitions a second, those of the bare loop, and the bytes that a transition adds to the journal."""
    with open_town(folder, url) as runtime:
        fill_town(runtime, people)
        tick(runtime, START + timedelta(minutes=1))  # reads what is published
        _settle(runtime)
        tick(runtime, START + _HOUR)
        collect_seldom()
        before = _journal_rows(runtime)
        begun, used, count = time.perf_counter(), time.process_time(), 0
        for minute in range(1, 1 + _MINUTES_MEASURED):
            count += tick(runtime, START + _HOUR + timedelta(minutes=minute)).timers
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        rows = _journal_rows(runtime) - before
        bare_s, bare_count = _write_bare(runtime, people)
        return {
            "transitions_per_s": count / seconds,
            "transition_us": seconds / count * 1e6,
            "transition_cpu_us": used / count * 1e6,
            "over_bare": (count / seconds) / (bare_count / bare_s),
            "journal_bytes_per_transition": _journal_bytes(runtime, rows) / count,
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


def _journal_bytes(runtime: Runtime, rows: int) -> float:
    """What `rows` of the journal take, by the average of the table with its key."""
    with runtime.database.read() as connection:
        if not runtime.database.is_sqlite:
            size = connection.exec_driver_sql("SELECT pg_total_relation_size('journal')").scalar_one()
        else:
            pages = "SELECT sum(pgsize) FROM dbstat WHERE name = 'journal'"
            try:
                size = connection.exec_driver_sql(pages).scalar_one()
            except Exception:  # an SQLite without the table of pages: the values alone, and what their kinds take
                size = connection.exec_driver_sql(
                    "SELECT sum(length(kind) + length(data) + 8 + 4 + 2 + 8) FROM journal"
                ).scalar_one()
        return rows * float(size) / (connection.scalar(select(func.count()).select_from(journal)) or 1)


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
    lots = []
    for some in batches(numbers, _BATCH):
        lots.append(
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
                [(number, "step", at + 86_400_000_000) for number in some],
            )
        )
    again = "(enrolment_id, kind) DO UPDATE SET due_at = excluded.due_at"
    begun = time.perf_counter()
    for moved, entries, timers in lots:
        with runtime.database.transaction() as connection:
            set_rows(connection, enrolment, saved, moved)
            insert_fresh(connection, journal, ("enrolment_id", "seq", "at", "kind", "data"), entries)
            insert_few(connection, timer, ("enrolment_id", "kind", "due_at"), timers, on_conflict=again)
    return time.perf_counter() - begun, len(numbers)
