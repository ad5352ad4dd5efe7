"""The processes that `postilion up` starts: each with its log file, and none that outlives it.

On Linux the kernel ends a child when its parent dies, however it dies; `setpriv` of util-linux asks for that. What the
kernel watches is the *thread* that started the child, so children are started from the main thread.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit

from core.errors import EnvironmentFaultError

_LOG_LIMIT = 10_000_000
_POLL_S = 0.05
_SERVER_FAULT = 500


@dataclass(slots=True)
class Child:
    """One part. `name` is what a person calls it."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def ask_to_end(self) -> None:
        if self.is_running:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for the end of it and of all that it started, and make one when it takes longer."""
        end = time.monotonic() + seconds
        while (self.is_running or self._has_family()) and time.monotonic() < end:
            time.sleep(_POLL_S)
        if self.is_running or self._has_family():
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _has_family(self) -> bool:
        """Whether its session has a process left: a child leads one of its own."""
        try:
            os.killpg(self.process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def broken(self, what: str) -> EnvironmentFaultError:
        """`what` went wrong, with the last line of the log, which often says why."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f" Its last words: {lines[-1][:300]}" if lines else ""
        return EnvironmentFaultError(f"the {self.name} {what}: see {self.log}.{last}")


def start_child(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, *, pass_fds: Sequence[int] = ()
) -> Child:
    """Start `command` in its own session: Ctrl-C in a terminal reaches `up` alone, which ends its parts in order."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    tied = ["setpriv", "--pdeathsig", "TERM", "--"] if which("setpriv") else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*tied, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    return Child(name, log, process)


def wait_for_answer(child: Child, url: str, *, seconds: float, is_stopped: Callable[[], bool]) -> bool:
    """Wait until GET `url` is answered; False when `is_stopped` first. Raises when the child ends or is too slow."""
    end = time.monotonic() + seconds
    while not is_stopped():
        if not child.is_running:
            raise child.broken("ended at its start")
        if _answers(url):
            return True
        if time.monotonic() > end:
            raise child.broken(f"did not answer at {url} within {seconds:.0f} seconds")
        time.sleep(_POLL_S)
    return False


def _answers(url: str) -> bool:
    """Without urllib, which would ask a proxy for this machine."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < _SERVER_FAULT
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
