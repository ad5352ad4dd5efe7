"""Gives every webhook its turn: looked at once a second, sent to by a thread of its own, so that none waits for others.

With no webhook in workspace.yaml it costs nothing; with some, a few small reads a second.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from core.cursors import latest_position
from core.ids import random_id
from core.runtime import Runtime
from customers.tables import customer_event
from customers.workspace import WebhookSpec, Workspace
from delivery.pauses import find_pauses
from tracking.outgoing.endpoints import find_state
from tracking.outgoing.following import is_behind
from tracking.outgoing.sending import Sender, Turn, is_ready

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 16  # webhooks; one that is dead holds its thread for fifteen seconds, and then waits
_REST: Final = timedelta(minutes=1)  # after a fault of our own


class Turns:
    """For one process; `begin` is called again and again by one thread, `close` at the end."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        tls: ssl.SSLContext | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runtime = runtime
        self._tls = tls
        self._is_stopped = is_stopped
        self._closing = threading.Event()
        self._holder = random_id()
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[str, Future[Turn]] = {}
        self._rests: dict[str, datetime] = {}

    def begin(self, workspace: Workspace, now: datetime) -> Counter[str]:
        """Start what is due, wait for nothing; answers what has ended since the last call."""
        done = self._collect(now)
        idle = {name: spec for name, spec in workspace.webhooks.items() if name not in self._running}
        if idle:
            awake = [name for name in idle if self._rests.get(name, now) <= now]
            with self._runtime.database.read() as connection:
                due = _find_due(connection, awake, now)
            for name in due:
                self._running[name] = self._start(name, idle[name])
        return done

    def wait(self) -> Counter[str]:
        """Wait until everything that was started has ended."""
        for turn in self._running.values():
            turn.exception()
        return self._collect(self._runtime.clock.now())

    def close(self) -> None:
        """Wait for the calls that are being made, and begin no further ones."""
        self._closing.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _start(self, name: str, spec: WebhookSpec) -> Future[Turn]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="webhook")
        allows_private = self._runtime.settings.reaches_nobody
        sender = Sender(self._runtime, name, spec, self._holder, tls=self._tls, allows_private=allows_private)
        return self._pool.submit(sender.send, lambda: self._closing.is_set() or self._is_stopped())

    def _collect(self, now: datetime) -> Counter[str]:
        counts: Counter[str] = Counter()
        for name, turn in list(self._running.items()):
            if not turn.done():
                continue
            del self._running[name]
            if (error := turn.exception()) is not None:
                log.error("events to the webhook %s failed: %s", name, type(error).__name__, exc_info=error)
                self._rests[name] = now + _REST
                continue
            counts["events sent to webhooks"] += turn.result().event_count
            counts["calls of webhooks that failed"] += bool(turn.result().failure)
        return counts


def _find_due(connection: Connection, names: Sequence[str], now: datetime) -> list[str]:
    """Those for which something is new, or waits to be sent again."""
    pauses, latest = find_pauses(connection, now), latest_position(connection, customer_event)
    due = []
    for name in names:
        state = find_state(connection, name)
        is_new = state is None or state.batch_id is not None or is_behind(latest, state.position)
        if is_new and is_ready(name, state, pauses, now):
            due.append(name)
    return due
