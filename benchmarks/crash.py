"""Kills two workers again and again in the middle of sending, and counts what came of it: `make crash`.

Each launch is sent by two processes that are killed by `kill -9` at random moments and started anew; the provider is
the sandbox in a process of its own. At each kill it is counted how many calls the dead had in flight. In the end nobody
may have got a mail twice, and everybody has one or is told of. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from sqlalchemy import func, select

from benchmarks.mailing import build_mailing, open_mailing, provider, queue_messages, settings_for
from benchmarks.senders import begin, name_of, start
from core.clock import ShiftedClock, SystemClock
from core.database import Database
from core.settings import Settings
from delivery.housekeeping import settle_broken_off
from delivery.ledger import STUCK
from delivery.tables import MessageStatus, message

_WORKERS = 2
_LATER = STUCK + timedelta(minutes=1)  # what died as `sending` is settled then, and leases have run out


@dataclass(frozen=True, slots=True)
class Size:
    launches: int
    messages: int  # of each launch
    kills: int  # of processes, in all launches together
    callers: int = 16


WHOLE = Size(launches=20, messages=10_000, kills=200)
SHORT = Size(launches=2, messages=1_000, kills=12)


@dataclass(slots=True)
class Harvest:
    """What the launches came to; `in_flight` sums what was `sending` at the kills."""

    launches: int = 0
    kills: int = 0
    accepted_twice: int = 0
    lost: int = 0
    unknown: int = 0
    unknown_never_accepted: int = 0
    in_flight: int = 0
    in_flight_max: int = 0


def measure(size: Size, url: str = "", seed: int = 7) -> dict[str, int]:
    """The counts over all launches; on SQLite, unless `url` names another database."""
    harvest, chance = Harvest(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="postilion-crash-") as name, provider(latency_ms=50) as endpoint:
        folder = Path(name)
        settings = settings_for(
            folder, url or f"sqlite:///{folder / 'postilion.db'}", endpoint=endpoint, callers=size.callers
        )
        build_mailing(settings, size.messages, queued=False)
        for number in range(size.launches):
            share = size.kills // size.launches + (number < size.kills % size.launches)
            _launch(settings, size, f"launch-{number}", share, harvest, chance)
            print(json.dumps(_figures(harvest)), file=sys.stderr, flush=True)
    return _figures(harvest)


def _figures(harvest: Harvest) -> dict[str, int]:
    return {name: getattr(harvest, name) for name in Harvest.__slots__}


def _launch(settings: Settings, size: Size, wave: str, kills: int, harvest: Harvest, chance: random.Random) -> None:
    with open_mailing(settings) as runtime:
        queue_messages(runtime, size.messages, wave)
    workers = [_worker(settings) for _ in range(_WORKERS)]
    begin(workers)
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 1.5))
            victim = chance.randrange(_WORKERS)
            workers[victim].kill()
            workers[victim].wait()
            _count_in_flight(settings, workers[victim], harvest)
            workers[victim] = _worker(settings)
            begin(workers[victim : victim + 1])
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            _count_in_flight(settings, worker, harvest)
    _finish(settings, wave)
    _count(settings, size, wave, harvest)


def _worker(settings: Settings) -> subprocess.Popen[str]:
    return start(Path(settings.project), settings.database, settings.aws_endpoint_url, settings.worker_count, "ses")


def _count_in_flight(settings: Settings, dead: subprocess.Popen[str], harvest: Harvest) -> None:
    """How many calls a worker had in flight when it died, as the ledger has it."""
    mine = (message.c.claimed_by == name_of(dead.pid), message.c.status == MessageStatus.SENDING)
    with closing(Database(settings.database)) as database, database.read() as connection:
        count = connection.execute(select(func.count()).select_from(message).where(*mine)).scalar_one()
    harvest.kills += 1
    harvest.in_flight += count
    harvest.in_flight_max = max(harvest.in_flight_max, count)


def _finish(settings: Settings, wave: str) -> None:
    """Send the rest, at a time when what was broken off is settled."""
    from campaigns.compose import Composer
    from delivery.providers.registry import create_transports
    from delivery.worker import DeliveryWorker

    clock = ShiftedClock(SystemClock().now() + _LATER)
    with open_mailing(settings, clock) as runtime:
        with runtime.database.transaction() as connection:
            settle_broken_off(connection, runtime.vault, clock.now())
        worker = DeliveryWorker(runtime, create_transports(settings), Composer(runtime).compose, name=f"finish-{wave}")
        while worker.deliver(clock.now(), length=timedelta(minutes=10)).claimed:
            pass
        worker.close()


def _count(settings: Settings, size: Size, wave: str, harvest: Harvest) -> None:
    taken = Counter(_accepted(settings.aws_endpoint_url))
    with closing(Database(settings.database)) as database, database.read() as connection:
        query = select(message.c.id, message.c.status).where(message.c.origin_id == wave)
        status: dict[str, str] = dict(connection.execute(query).tuples().all())
    unknown = {mid for mid, one in status.items() if one == MessageStatus.UNKNOWN}
    told = {mid for mid, one in status.items() if one in (MessageStatus.SENT, MessageStatus.UNKNOWN)}
    harvest.launches += 1
    harvest.accepted_twice += sum(count > 1 for count in taken.values())
    harvest.lost += size.messages - len(told | taken.keys()) + len(taken.keys() - told)
    harvest.unknown += len(unknown)
    harvest.unknown_never_accepted += len(unknown - taken.keys())


def _accepted(endpoint: str) -> Iterator[str]:
    """The id of each mail that the provider took, as often as it did; then it forgets them."""
    after = 0
    while True:
        with urlopen(f"{endpoint}/sandbox/messages?after={after}&limit=1000", timeout=60) as answer:
            page = json.load(answer)["messages"]
        yield from (one["tags"]["mid"] for one in page)
        if not page:
            break
        after = page[-1]["seq"]
    urlopen(Request(f"{endpoint}/sandbox/reset", method="POST"), timeout=60).close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a few launches and kills, to see that it works")
    given: Any = parser.parse_args()
    print(json.dumps(measure(SHORT if given.short else WHOLE)))


if __name__ == "__main__":
    main()
