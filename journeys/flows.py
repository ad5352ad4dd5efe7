"""What Prefect runs for journeys, and for everything else that has to happen within seconds: the heartbeat."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from core.errors import TransientError
from core.heap import collect_seldom
from core.log import configure_logging
from core.runtime import open_runtime
from core.settings import load_settings
from journeys.heartbeat import keep_beating
from journeys.heartbeat_report import as_markdown


@flow(name="heartbeat")
def heartbeat_flow(workspace: str, minutes: float = 15) -> dict[str, int]:
    """Advance journeys and send what is due, once a second, until the next run takes over; answers what was done."""
    settings = load_settings()
    configure_logging(settings.log_level)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    with open_runtime(settings, workspace) as runtime, _asked_to_stop() as is_stopped:
        collect_seldom()
        tally = keep_beating(runtime, life=timedelta(minutes=minutes), is_stopped=is_stopped)
    create_markdown_artifact(as_markdown(tally), key="heartbeat", description="What happened meanwhile")
    if tally.faults:
        raise TransientError("; ".join(f"{part}: {cause}" for part, cause in tally.faults.items()))
    return dict(tally.counts)


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM came, or whoever started this process is gone. The signal must not break off a beat."""
    asked = threading.Event()
    parent = os.getppid()
    if threading.current_thread() is not threading.main_thread():
        yield lambda: os.getppid() != parent
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield lambda: asked.is_set() or os.getppid() != parent
    finally:
        signal.signal(signal.SIGTERM, before)
