"""How long it takes until an event lets somebody go on, while a million wait for it: one process writes, one beats.

Every event is an order of somebody who stands at `answer`; they come evenly, in lots such as the loader of the log
brings them. An event has acted when the position up to which journeys have read the log is seen behind it: it is
committed with the transitions. In the end the journal must say of each of them that the order has come.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from benchmarks.journey_running import Moment, beating, moment_of, percentiles, running
from benchmarks.journey_world import START, fill_town, open_town
from core.clock import to_micros
from core.cursors import get_position
from core.database import batches
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.tables import customer_event
from customers.workspace import get_workspace
from journeys.ingest import CURSOR, waiting_for
from journeys.steps.contract import ANY_EVENT
from journeys.tables import enrolment
from journeys.tick import tick_until_idle

_A_SECOND = 500
_LOT = 100  # events in a transaction, at 500 a second what the loader gathers in its 0.2 s
_SECONDS = 60.0
_NAME = "order_placed"
_LATER = START + timedelta(days=2, hours=4)  # everybody stands at `answer`, and their ten o'clock is over
_PATIENCE_S = 120
_LOOK_S = 0.03
_PRIME = 7_919  # leads from one person to the next, so that neighbours in time are none in the tables


def measure_answers(folder: Path, people: int, url: str | None = None, seconds: float = _SECONDS) -> dict[str, Any]:
    """Seconds from an event's arrival to the commit of its transition as a reader sees it.

    Raises RuntimeError when an event has let nobody go on, or when waiting people are not found by an index.
    """
    with open_town(folder, url) as runtime:
        fill_town(runtime, people, waiting=True)
        tick_until_idle(runtime, START + timedelta(minutes=51))  # reads what is published
        _check_plan(runtime)
    moment = Moment(_LATER, time.time())
    with open_town(folder, url, moment.clock()) as runtime, beating(runtime, folder, url, moment) as heart:
        words = (str(folder), url or "", *moment.words(), str(people), str(seconds))
        with running("journey_answers", *words) as writer:
            delays = _watch(runtime, int(seconds * _A_SECOND), writer, heart)
        _check_moved(runtime, len(delays))
    return {"events": len(delays), **percentiles("event_to_step", delays)}


def _watch(
    runtime: Runtime, expected: int, writer: subprocess.Popen[bytes], heart: subprocess.Popen[bytes]
) -> list[float]:
    """How long after its arrival each event was seen to have acted, until all have."""
    delays: list[float] = []
    last_id = 0
    deadline = time.monotonic() + expected / _A_SECOND + _PATIENCE_S
    while len(delays) < expected:
        if heart.poll() is not None or writer.poll() or time.monotonic() > deadline:
            raise RuntimeError(f"only {len(delays)} of {expected} events have acted")
        with runtime.database.read() as connection:
            read_up_to = get_position(connection, CURSOR).row_id
            now = to_micros(runtime.clock.now())
            arrived = list(_arrivals(connection, last_id, read_up_to))
        delays += [(now - received_at) / 1e6 for _, received_at in arrived]
        last_id = max(last_id, read_up_to)
        time.sleep(_LOOK_S)
    return delays


def _arrivals(connection: Connection, above: int, up_to: int) -> Iterator[tuple[int, int]]:
    event = customer_event.c
    query = select(event.id, event.received_at).where(event.id > above, event.id <= up_to, event.name == _NAME)
    yield from ((row.id, to_micros(row.received_at)) for row in connection.execute(query))


def _check_plan(runtime: Runtime) -> None:
    """Whoever waits is found by profile and name: asking everybody would be right too, and a thousand times as slow."""
    query = waiting_for(range(1, _LOT), [_NAME, ANY_EVENT])
    asked = query.compile(runtime.database.engine, compile_kwargs={"literal_binds": True})
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("ANALYZE event_wait")
    explain = "EXPLAIN QUERY PLAN" if runtime.database.is_sqlite else "EXPLAIN"
    with runtime.database.read() as connection:
        plan = " ".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {asked}"))
    if "ix_event_wait_profile_id_event_name" not in plan:
        raise RuntimeError(f"people who wait are not found by an index: {plan}")


def _check_moved(runtime: Runtime, expected: int) -> None:
    query = select(func.count()).select_from(enrolment).where(enrolment.c.step != "answer")
    with runtime.database.read() as connection:
        moved = connection.scalar(query)
    if moved != expected:
        raise RuntimeError(f"{expected} events have let {moved} people go on")


def append_evenly(runtime: Runtime, people: int, seconds: float) -> float:
    """Append orders of ever other people at an even pace; answers how late the last lot was, in seconds."""
    count = int(seconds * _A_SECOND)
    who = [number * _PRIME % people + 1 for number in range(count)]
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    begun = time.monotonic()
    for number, some in enumerate(batches(who, _LOT)):
        time.sleep(max(0.0, begun + number * _LOT / _A_SECOND - time.monotonic()))
        now = runtime.clock.now()
        with runtime.database.transaction() as connection:
            append_events(connection, runtime.vault, workspace, [_order(one, now) for one in some], now)
    return time.monotonic() - begun - (count - _LOT) / _A_SECOND


def _order(profile_id: int, now: Any) -> NewEvent:
    return NewEvent(_NAME, now, "bench", f"order:{profile_id}", profile_id, {"order_id": f"o-{profile_id}"})


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("folder", "url", "start", "began_at", "people", "seconds"):
        parser.add_argument(name)
    given: Any = parser.parse_args()
    clock = moment_of(given.start, given.began_at).clock()
    with open_town(Path(given.folder), given.url or None, clock) as runtime:
        late_s = append_evenly(runtime, int(given.people), float(given.seconds))
    print(json.dumps({"writer_late_s": round(late_s, 2)}), flush=True)


if __name__ == "__main__":
    main()
