"""The process that runs what is scheduled: `python -m cli.serving.runner WORKSPACE FD`.

It registers a deployment for everything published, follows what `postilion apply` changes, and starts what our own
records say is overdue. Each line it writes to the file descriptor FD is a sentence for the person at the terminal, the
first one when everything is registered.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from httpx import HTTPError
from prefect.runner import Runner

from cli.serving.deployments import HEARTBEAT, Deployment, plan_deployments, read_publication
from cli.serving.overdue import find_overdue
from cli.serving.prefect_server import is_private
from cli.serving.registry import clear_up, pause_others, register, start_now
from console.rights.replay import replay_erasures
from core.errors import PostilionError
from core.log import configure_logging
from core.runtime import Runtime, open_runtime
from core.settings import load_settings
from journeys.heartbeat import ask_for_end, withdraw_question

log = logging.getLogger("cli.serving.runner")  # this module is the program, and would be called __main__

Tell = Callable[[str], None]

_LOOK_S = 15.0
_AGAIN = timedelta(minutes=10)  # what is overdue and fails is not started again before this has passed
_POLL_RUNS_S = 10.0
_STARTED_S = 0.02
_PATIENCE, _POLL_S = 20, 0.2


class Serving:
    """What is registered now, and how it follows what is published."""

    def __init__(self, runtime: Runtime, workspace: str, tell: Tell) -> None:
        self._runtime = runtime
        self._workspace = workspace
        self._tell = tell
        self._runner = Runner(name="postilion", query_seconds=_POLL_RUNS_S, limit=None, pause_on_shutdown=False)
        self._ids: dict[str, UUID] = {}
        self._plan: dict[str, Deployment] = {}
        self._seen: tuple[Any, ...] = ()
        self._asked_at: dict[str, datetime] = {}

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        clock, parent = self._runtime.clock, os.getppid()
        if is_private(self._runtime.settings) and (count := await clear_up(clock)):
            self._tell(f"{count} runs were broken off when the engine stopped; what they left is taken up again")
        await self._follow()
        await start_now(self._ids[HEARTBEAT], clock)
        stop = asyncio.Event()
        serving = asyncio.create_task(self._runner.start())
        while not self._runner.started and not serving.done():  # noqa: ASYNC110 # the runner has a flag, and no event
            await asyncio.sleep(_STARTED_S)
        # Not before: starting sets a handler of its own, which leaves in the middle of the loop.
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        watching = asyncio.create_task(self._watch())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        watching.cancel()
        if not serving.done():
            await self._end_runs()
            if os.getppid() != parent:
                os.killpg(
                    os.getpid(), signal.SIGKILL
                )  # `up` was killed, and Prefect's server with it: nobody is left to tell
            await self._runner.astop()
        await serving
        if watching.done() and not watching.cancelled():
            watching.result()

    async def _end_runs(self) -> None:
        """Give what is under way the time to complete; what takes longer is cancelled, and taken up again next time."""
        database, clock = self._runtime.database, self._runtime.clock
        with database.transaction() as connection:
            ask_for_end(connection, self._runner.name, clock.now())
        for _ in range(_PATIENCE):
            # There is no public way to ask; the version of Prefect is pinned.
            if not self._runner._process_manager.flow_run_ids():
                break
            await asyncio.sleep(_POLL_S)
        with database.transaction() as connection:
            withdraw_question(connection, self._runner.name, clock.now())

    async def _watch(self) -> None:
        while True:
            try:
                await asyncio.to_thread(replay_erasures, self._runtime, self._runtime.clock.now())
                await self._follow()
                await self._start_overdue()
            except (HTTPError, PostilionError) as error:
                log.warning("looking for what to run failed and is tried again: %s", error)
            await asyncio.sleep(_LOOK_S)

    async def _follow(self) -> None:
        """Register what is new or changed since the last look, and pause what is withdrawn."""
        with self._runtime.database.read() as connection:
            seen = read_publication(connection)
            if seen == self._seen:
                return
            plan = {one.name: one for one in plan_deployments(connection, self._runtime.clock.now())}
        changed = [one for name, one in plan.items() if self._plan.get(name) != one]
        for deployment in changed:
            self._ids[deployment.name] = await register(self._runner, self._workspace, deployment)
        paused = await pause_others(self._workspace, plan)
        if self._plan:
            self._tell_changes(changed, paused)
        else:
            self._tell(f"{len(plan)} schedules")
            self._tell_launches(plan.values())
        self._plan, self._seen = plan, seen

    async def _start_overdue(self) -> None:
        now = self._runtime.clock.now()
        with self._runtime.database.read() as connection:
            folder = self._runtime.settings.exports_folder
            overdue = find_overdue(connection, self._plan.values(), now, folder)
        for name in overdue:
            asked_at = self._asked_at.get(name)
            if name != HEARTBEAT and asked_at is not None and now - asked_at < _AGAIN:
                continue
            self._asked_at[name] = now
            if await start_now(self._ids[name], self._runtime.clock):
                log.info("%s is overdue and starts now", name)

    def _tell_launches(self, deployments: Iterable[Deployment]) -> None:
        for one in deployments:
            if "campaign" in one.parameters:
                self._tell(one.words)

    def _tell_changes(self, changed: Iterable[Deployment], paused: Iterable[str]) -> None:
        for one in changed:
            self._tell(f"changed: {one.words}")
        for name in paused:
            self._tell(f"no longer scheduled: {name}")


def main(workspace: str, descriptor: int) -> None:
    """Serve with the settings of the environment."""
    settings = load_settings()
    configure_logging(settings.log_level)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    with open_runtime(settings, workspace) as runtime, os.fdopen(descriptor, "w", buffering=1) as told:
        asyncio.run(Serving(runtime, workspace, lambda line: print(line, file=told, flush=True)).run())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
