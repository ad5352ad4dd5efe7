"""Running `postilion` commands as a person would, with the settings of the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from cli.output import say
from core.settings import Settings, child_environment

_POSTILION = [sys.executable, "-m", "cli.main"]
_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_S = 30.0


class Commands:
    """Runs commands on one project at one instant; what they print goes to the terminal."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._environment = child_environment(settings)
        self._now = now

    def run(self, *words: str) -> None:
        """Run one command; raises CalledProcessError when it fails, after it has said why."""
        say(f"\n[dim]$[/] [bold]postilion {' '.join(words)}[/]")
        subprocess.run(self._line(words), env=self._environment, cwd=_ROOT, check=True)

    def ask(self, *words: str) -> Any:
        """The JSON document of one command."""
        answer = subprocess.run(
            self._line((*words, "--json")), env=self._environment, cwd=_ROOT, check=True, stdout=subprocess.PIPE
        )
        return json.loads(answer.stdout)

    def _line(self, words: tuple[str, ...]) -> list[str]:
        return [*_POSTILION, "--now", self._now.isoformat(), *words]

    def set_now(self, now: datetime) -> None:
        self._now = now

    @contextmanager
    def sandbox(self, url: str, *options: str) -> Iterator[None]:
        """`postilion sandbox` beside the block, in a process of its own."""
        process = subprocess.Popen(
            [*_POSTILION, "sandbox", *options], env=self._environment, cwd=_ROOT, stdout=subprocess.DEVNULL
        )
        try:
            _wait_for(url, process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def set_sandbox_clock(url: str, now: datetime) -> None:
    body = json.dumps({"now": now.isoformat()}).encode()
    with urlopen(Request(f"{url}/sandbox/clock", body, method="PUT"), timeout=_PATIENCE_S):
        pass


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError("the sandbox ended at once: see what it said above")
        try:
            with urlopen(f"{url}/sandbox/stats?recipients=no", timeout=1):
                return
        except (URLError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError("the sandbox did not start in time")
