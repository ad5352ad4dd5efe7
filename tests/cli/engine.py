"""`postilion up` as a person runs it: a process of its own with a project, a key and free ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from core.settings import child_environment, load_settings

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 120, 15


@dataclass(slots=True)
class Engine:
    """A project folder and, once started, the process that serves it."""

    folder: Path
    port: int
    prefect_port: int
    process: subprocess.Popen[bytes] | None = None
    _environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path) -> Engine:
        engine = cls(folder, free_port(), free_port())
        settings = load_settings(
            {},
            project=str(folder / "shop"),
            key_file=str(folder / "shop.key"),
            port=str(engine.port),
            prefect_port=str(engine.prefect_port),
        )
        engine._environment = child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="200")
        return engine

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        command = [sys.executable, "-m", "cli.main", *words]
        return subprocess.run(
            command, cwd=ROOT, env=dict(self._environment), capture_output=True, text=True, timeout=60, check=False
        )

    def write(self, name: str, text: str) -> None:
        file = self.folder / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start `up` and wait until it says that everything runs."""
        with (self.folder / "up.out").open("wb") as out:
            command = [sys.executable, "-m", "cli.main", "up"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=dict(self._environment), stdout=out, stderr=out)
        self.wait_for(lambda: "Ctrl-C stops everything" in self.said, START_S)

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and wait; answers the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def end(self) -> None:
        """Whatever happened, leave nothing behind: the kernel ends the children of a killed `up`."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop(signal.SIGINT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def said(self) -> str:
        return (self.folder / "up.out").read_text(encoding="utf-8")

    def wait_for(self, is_so: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert self.process is None or self.process.poll() is None, self.said
            assert time.monotonic() < end, f"not so after {seconds} s; it said: {self.said}"
            time.sleep(0.2)

    def get(self, path: str) -> Any:
        """A page of the web server."""
        return _ask(self.port, "GET", path, None)

    def ask_prefect(self, method: str, path: str, body: Any = None) -> Any:
        return _ask(self.prefect_port, method, f"/api{path}", body)

    def family(self) -> set[int]:
        """`up` and every process below it."""
        assert self.process is not None
        parents = dict(_parents())
        family = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return family


def is_alive(pid: int) -> bool:
    """Whether it runs; what has ended and was not waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _parents() -> Iterator[tuple[int, int]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            yield int(entry.name), int(stat.rpartition(")")[2].split()[1])


def _ask(port: int, method: str, path: str, body: Any) -> Any:
    for _ in range(20):
        status, content = _ask_once(port, method, path, body)
        if status != 503:  # Prefect's SQLite was busy; its own client asks again too
            break
        time.sleep(0.5)
    assert status < 400, (path, status, content)
    return json.loads(content) if content else None


def _ask_once(port: int, method: str, path: str, body: Any) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
