"""The server of the figures of tracking, in a process and on a core of its own.

`python -m benchmarks.ingestion_server KIND FOLDER DATABASE PORT CORE`, where KIND is `raw` (a bare ASGI GIF), `log` or
`database` (ours), `held` (as `log`, but nothing is loaded), `early` (ours, but acknowledging before anything is
written) or `broken` (whose disk takes nothing).
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from benchmarks.mailing import open_mailing, settings_for
from console.mail_first import mail_first
from core.heap import collect_seldom
from core.runtime import Runtime
from core.settings import Settings
from tracking.events.record_calls import CallBatch, Taken
from tracking.ingestion.group_commit import Ingestion
from tracking.ingestion.loader import Loader
from tracking.ingestion.log_ingestion import LogIngestion
from tracking.ingestion.log_reading import Segments
from tracking.ingestion.records import create_ingestion, store_in, store_logged
from tracking.ingestion.segment_writer import SegmentWriter
from tracking.ingestion.slots import create_slot
from tracking.mail_requests import GIF
from tracking.web import routes


def settings_of(folder: Path, database_url: str, kind: str) -> Settings:
    return settings_for(
        folder,
        database_url,
        endpoint="http://local",
        callers=1,
        ingestion="database" if kind == "database" else "log",
        events_per_key="1000000",
    )


async def _raw(scope: MutableMapping[str, Any], _receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    headers = [(b"content-type", b"image/gif"), (b"content-length", str(len(GIF)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": GIF})


class _HeldLoader(Loader):
    """Leaves everything to the next process, so that what an answer costs can be told from what loading costs."""

    def load_abandoned(self) -> None:
        return

    def _load(self, segments: Segments, until: float = 0) -> None:
        return


class _Early:
    """Answers before anything is durable, as no server may: the control of the crash test."""

    def __init__(self, inner: Ingestion[Any]) -> None:
        self._inner = inner
        self._writing: set[asyncio.Task[Any]] = set()

    async def submit(self, record: Any) -> Any:
        task = asyncio.ensure_future(self._inner.submit(record))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return Taken(len(record.calls)) if isinstance(record, CallBatch) else None


def _held(runtime: Runtime) -> LogIngestion:
    database, vault, clock, root = runtime.database, runtime.vault, runtime.clock, runtime.settings.ingestion_folder
    loader = _HeldLoader(database, vault, clock, store_logged(vault), root)
    return LogIngestion(database, store_in(vault), vault, clock, lambda: SegmentWriter(create_slot(root)), loader)


def _app(runtime: Runtime, kind: str) -> Any:
    if kind == "broken":
        vars(os)["fdatasync"] = _fail
    ingestion: Any = _held(runtime) if kind == "held" else create_ingestion(runtime)
    if kind != "database":
        assert isinstance(ingestion, LogIngestion)

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        ingestion.start()
        yield
        ingestion.stop()

    given: Any = _Early(ingestion) if kind == "early" else ingestion
    return mail_first(Starlette(routes=routes(runtime, given), lifespan=running))


def _fail(_descriptor: int) -> None:
    raise OSError(errno.EIO, "this disk takes nothing")


def main(kind: str, folder: str, database_url: str, port: str, core: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    with open_mailing(settings_of(Path(folder), database_url, kind)) as runtime:
        app = _raw if kind == "raw" else _app(runtime, kind)
        config = uvicorn.Config(
            app,
            port=int(port),
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off" if kind == "raw" else "on",
            log_level="error",
            access_log=False,
            server_header=False,
        )
        collect_seldom()
        uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
