"""Starting the parts of the engine in order, watching them, and ending them in the opposite order.

One part that ends unasked ends all: half an engine would look alive and do half of its work.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.serving.children import Child, start_child, wait_for_answer

_LOOK_S = 0.5
_RUNNER_STOP_S, _PART_STOP_S = 9.0, 4.0
_START_S = 120.0


@dataclass(slots=True)
class Supervisor:
    """`tell` gets every sentence that is for the person at the terminal."""

    logs: Path
    tell: Callable[[str], None]
    is_stopped: bool = False
    _parts: list[Child] = field(default_factory=list)
    _runner: Child | None = None
    _told: int | None = None  # the end of the pipe on which the runner's sentences arrive
    _rest: bytes = b""

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        child = start_child(name, [sys.executable, *command], environment, self._log(name))
        self._parts.append(child)
        return child

    def wait_until_it_answers(self, child: Child, url: str) -> bool:
        """False when the person has changed their mind."""
        return wait_for_answer(child, url, seconds=_START_S, is_stopped=lambda: self.is_stopped)

    def start_runner(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the part that speaks: its file descriptor is added to `command`."""
        self._told, told_by = os.pipe()
        try:
            whole = [sys.executable, *command, str(told_by)]
            self._runner = start_child("runner", whole, environment, self._log("runner"), pass_fds=[told_by])
        finally:
            os.close(told_by)

    def hear_first(self) -> None:
        """Watch until the runner has said something, which it does when everything is registered."""
        while not self.is_stopped and not self._look():
            pass

    def watch(self) -> None:
        """Pass on what the runner says until somebody asks to stop; raises when a part ends unasked."""
        while not self.is_stopped:
            self._look()

    def end(self) -> None:
        """End everything: the runner first, because what it runs needs the others."""
        if self._runner is not None:
            self._runner.ask_to_end()
            self._runner.wait(_RUNNER_STOP_S)
        for child in self._parts:
            child.ask_to_end()
        for child in self._parts:
            child.wait(_PART_STOP_S)
        if self._told is not None:
            os.close(self._told)

    def _look(self) -> bool:
        """One look at everything; answers whether the runner said something."""
        lines = self._listen()
        for line in lines:
            self.tell(line)
        for child in [*self._parts, self._runner]:
            if child is not None and not child.is_running and not self.is_stopped:
                raise child.broken("has ended")
        return bool(lines)

    def _listen(self) -> list[str]:
        assert self._told is not None  # the runner was started
        ready, _, _ = select.select([self._told], [], [], _LOOK_S)
        if not ready:
            return []
        *lines, self._rest = (self._rest + os.read(self._told, 65_536)).split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in lines]

    def _log(self, name: str) -> Path:
        return self.logs / f"{name.replace(' ', '-')}.log"


@contextmanager
def supervising(logs: Path, tell: Callable[[str], None]) -> Iterator[Supervisor]:
    """A supervisor that hears SIGINT and SIGTERM, and ends its parts with the block."""
    supervisor = Supervisor(logs, tell)

    def stop(*_: object) -> None:
        supervisor.is_stopped = True

    # Set by hand: a shell starts background jobs with SIGINT ignored, and Python then leaves it so.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield supervisor
    finally:
        supervisor.end()
        for number, handler in before.items():
            signal.signal(number, handler)
