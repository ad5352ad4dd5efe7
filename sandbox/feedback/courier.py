"""Runs the deliveries: a few threads ("lanes"), each with its own agenda by due time and its own kept-alive
connections.

Jobs with the same key share a lane, so what concerns one message happens in the order in which it was handed
over. A job that could not finish asks to be called again later. What a job says and to whom is not known
here.
"""

from __future__ import annotations

import heapq
import http.client
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from urllib.parse import urlsplit
from zlib import crc32

LANES = 4
TIMEOUT_SECONDS = 5.0

log = logging.getLogger("sandbox.courier")


class Connections:
    """Kept-alive HTTP connections of one lane."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises OSError or http.client.HTTPException when there was none."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        key = (parts.scheme, parts.netloc)
        connection = self._open.get(key)
        if connection is None:
            connection = self._open[key] = _connect(parts.scheme, parts.netloc)
        try:
            connection.request("POST", target, body, dict(headers))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            del self._open[key]
            raise
        return answer.status

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()


Job = Callable[[Connections], float | None]
"""Does its work; None when it is finished, else the seconds after which it wants to be called again."""


class Courier:
    def __init__(self, lane_count: int = LANES) -> None:
        self._lanes = [_Lane(f"sandbox-courier-{number}") for number in range(lane_count)]

    def submit(self, key: str, job: Job, delay_s: float = 0.0) -> None:
        self._lanes[crc32(key.encode()) % len(self._lanes)].submit(job, delay_s)

    @property
    def pending_count(self) -> int:
        return sum(lane.pending_count for lane in self._lanes)

    def forget(self) -> None:
        """Drop everything that is not being delivered at this moment."""
        for lane in self._lanes:
            lane.forget()

    def close(self) -> None:
        for lane in self._lanes:
            lane.stop()
        for lane in self._lanes:
            lane.join()


class _Lane:
    def __init__(self, name: str) -> None:
        self._agenda: list[tuple[float, int, Job]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def pending_count(self) -> int:
        with self._changed:
            return len(self._agenda) + self._busy

    def submit(self, job: Job, delay_s: float) -> None:
        with self._changed:
            heapq.heappush(self._agenda, (time.monotonic() + delay_s, next(self._numbers), job))
            self._changed.notify()

    def forget(self) -> None:
        with self._changed:
            self._agenda.clear()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self) -> None:
        self._thread.join()

    def _work(self) -> None:
        connections = Connections()
        while (job := self._next_due()) is not None:
            try:
                again_s = job(connections)
            except Exception:  # one broken job must not end the lane for all that follow
                log.exception("a delivery failed and is given up")
                again_s = None
            with self._changed:
                self._busy = False
                if again_s is not None:
                    heapq.heappush(self._agenda, (time.monotonic() + again_s, next(self._numbers), job))
        connections.close()

    def _next_due(self) -> Job | None:
        with self._changed:
            while not self._stopped:
                wait_s = self._agenda[0][0] - time.monotonic() if self._agenda else None
                if wait_s is not None and wait_s <= 0:
                    self._busy = True
                    return heapq.heappop(self._agenda)[2]
                self._changed.wait(wait_s)
        return None


def _connect(scheme: str, netloc: str) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(netloc, timeout=TIMEOUT_SECONDS)
