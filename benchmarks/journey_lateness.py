"""How late a timer acts when 100,000 are due at once: one process beats, this one watches.

The owners of the timers are spread evenly over everybody who is inside, as those are who wait until ten in the morning.
They are due at one instant, which is the worst that a minute can hold, and then as many evenly over a minute. Timers
fire in the order (due, enrolment), so that the first one left tells which have been committed.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from benchmarks.journey_running import Moment, beating, percentiles
from benchmarks.journey_world import START, fill_town, open_town
from core.clock import from_micros, to_micros
from core.database import batches
from core.runtime import Runtime
from journeys.tables import timer
from journeys.tick import tick_until_idle
from journeys.transition import TimerKind

_TIMERS = 100_000
_SHARE = 10  # one of so many people has a timer of the burst, and one a timer of the minute
_BURST_AT = START + timedelta(minutes=52)  # before anybody's own timer
_MINUTE_AT = START + timedelta(minutes=60)  # with those of the people who came in the first minute beside them
_MINUTE = timedelta(minutes=1)
_LEAD = timedelta(seconds=8)
_PATIENCE_S = 240
_LOOK_S = 0.03
_BATCH = 20_000

Due = tuple[int, int]  # when, in microseconds, and whose


def measure_lateness(folder: Path, people: int, url: str | None = None) -> dict[str, Any]:
    """Seconds from a timer's instant to the commit of its transition as a reader sees it, of both kinds of minute."""
    with open_town(folder, url) as runtime:
        fill_town(runtime, people)
        tick_until_idle(runtime, START + timedelta(minutes=1))  # reads what is published
        count = min(_TIMERS, people // _SHARE)
        burst = [(to_micros(_BURST_AT), _SHARE * place + 3) for place in range(count)]
        minute = [(to_micros(_MINUTE_AT + _MINUTE / count * place), _SHARE * place + 7) for place in range(count)]
        _put_off(runtime, burst + minute)
    return {
        "timers": count,
        **percentiles("timer_lateness", _lateness(folder, url, burst, _BURST_AT)),
        **percentiles("timer_lateness_spread", _lateness(folder, url, minute, _MINUTE_AT)),
    }


def _put_off(runtime: Runtime, due: Sequence[Due]) -> None:
    """Have these people's step timers run out then."""
    statement = update(timer).where(timer.c.kind == TimerKind.STEP.value)
    for some in batches(due, _BATCH):
        with runtime.database.transaction() as connection:
            for due_at, owner in some:
                mine = timer.c.enrolment_id == owner
                connection.execute(statement.where(mine).values(due_at=from_micros(due_at)))


def _lateness(folder: Path, url: str | None, due: Sequence[Due], first_at: datetime) -> list[float]:
    """How late each of `due`, which are sorted, was seen to be done."""
    moment = Moment(first_at - _LEAD, time.time())
    with open_town(folder, url, moment.clock()) as runtime, beating(runtime, folder, url, moment) as heart:
        return _watch(runtime, due, heart)


def _watch(runtime: Runtime, due: Sequence[Due], heart: subprocess.Popen[bytes]) -> list[float]:
    lateness: list[float] = []
    query = select(timer.c.due_at, timer.c.enrolment_id).order_by(timer.c.due_at, timer.c.enrolment_id).limit(1)
    deadline = time.monotonic() + _PATIENCE_S
    while len(lateness) < len(due):
        if heart.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"only {len(lateness)} of {len(due)} timers acted")
        with runtime.database.read() as connection:
            row = connection.execute(query).one()
        now, first_left = to_micros(runtime.clock.now()), (to_micros(row.due_at), row.enrolment_id)
        while len(lateness) < len(due) and due[len(lateness)] < first_left:
            lateness.append((now - due[len(lateness)][0]) / 1e6)
        time.sleep(_LOOK_S)
    return lateness
