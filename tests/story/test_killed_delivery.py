"""Delivery killed again and again: nobody gets a mail twice, and nobody is lost without a word."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep
from urllib.request import urlopen

import pytest
from sqlalchemy import func, select

from campaigns.due import choose_occurrence
from campaigns.launch import launch_campaign
from console.check import check_project
from console.project import load_project
from console.publish import publish_project
from core.clock import ManualClock
from core.keys import create_key
from core.runtime import open_runtime
from core.settings import Settings, child_environment
from customers.imports.mapping import load_mapping
from customers.imports.run import run_import
from customers.workspace import get_workspace
from delivery.tables import MessageStatus, message
from examples.shop.generate import NOW, generate
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from segments.refresh import refresh_all

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples" / "shop"
KILLS = 4
THREADS = 4
LATER = NOW + timedelta(minutes=30)  # leases have run out, and what died as `sending` is settled


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Iterator[Settings]:
    """A small shop with a launched campaign, and a sandbox that takes its time."""
    with SandboxServer(SandboxOptions(latency_ms=40)) as sandbox:
        settings = Settings(
            project=str(SHOP),
            state=str(tmp_path / "state"),
            database_url=database_url,
            keys_url=f"sqlite:///{tmp_path / 'keys' / 'keys.db'}",
            key_file=str(tmp_path / "key" / "shop.key"),
            aws_endpoint_url=sandbox.url,
            workers=str(THREADS),
            log_level="ERROR",
        )
        create_key(settings.key_path("shop"))
        data = tmp_path / "data"
        generate(data, profiles=500, order_lines=1500, events=10)
        with open_runtime(settings, "shop", ManualClock(NOW - timedelta(minutes=5))) as runtime:
            with runtime.database.transaction() as connection:
                publish_project(connection, check_project(load_project(SHOP)).project, runtime.clock.now())
                workspace = get_workspace(connection)
            for kind in ("profiles", "products"):
                mapping = load_mapping(SHOP / "imports" / f"{kind}.yaml", workspace)
                run_import(
                    runtime, workspace, kind, data / f"{kind}.csv", mapping,
                    progress=lambda _done, _total: None, rejects_file=tmp_path / "rejects.csv", now=runtime.clock.now(),
                )  # fmt: skip
            refresh_all(runtime)
            with runtime.database.read() as connection:
                occurrence = choose_occurrence(connection, "summer_picks", NOW)
            launch_campaign(runtime, "summer_picks", occurrence, NOW)
        yield settings


def deliver(settings: Settings, now: datetime) -> subprocess.Popen[bytes]:
    """`postilion deliver` in a process of its own, in the middle of the day of everybody it writes to."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--now", now.isoformat(), "deliver", "--json"],
        cwd=ROOT,
        env=child_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def accepted(settings: Settings) -> Counter[str]:
    """How often the provider has accepted each message."""
    counts: Counter[str] = Counter()
    after = 0
    while True:
        with urlopen(f"{settings.aws_endpoint_url}/sandbox/messages?after={after}&limit=500", timeout=10) as answer:
            page = json.load(answer)["messages"]
        counts.update(one["tags"]["mid"] for one in page)
        if not page:
            return counts
        after = page[-1]["seq"]


def test_nothing_is_doubled_lost_or_hidden_when_two_deliverers_are_killed_again_and_again(settings: Settings) -> None:
    chance = random.Random(7)
    start = NOW + timedelta(minutes=1)
    for _kill in range(KILLS):
        workers = [deliver(settings, start) for _worker in range(2)]
        sleep(1.5 + chance.random())
        for worker in workers:
            worker.kill()
            worker.wait()
    assert deliver(settings, LATER).wait(timeout=120) == 0
    taken = accepted(settings)
    by_status = select(message.c.status, func.count()).where(message.c.origin == "summer_picks")
    known = select(message.c.id).where(message.c.status.in_([MessageStatus.SENT, MessageStatus.UNKNOWN]))
    with (
        open_runtime(settings, "shop", ManualClock(LATER)) as runtime,
        runtime.database.read() as connection,
    ):
        rows = {row[0]: row[1] for row in connection.execute(by_status.group_by(message.c.status))}
        recorded = set(connection.execute(known).scalars())
    assert max(taken.values()) == 1
    assert set(taken) <= recorded
    assert rows.get(MessageStatus.CLAIMED, 0) == rows.get(MessageStatus.SENDING, 0) == 0
    assert rows.get(MessageStatus.UNKNOWN, 0) <= KILLS * 2 * THREADS
    assert rows[MessageStatus.SENT] > 0
