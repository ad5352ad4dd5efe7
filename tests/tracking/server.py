"""The routes of tracking behind a server to be killed: `python -m tests.tracking.server DATABASE KEYS PORT STATE WAY`.

WAY is `log` or `database`: where what comes in is durable.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from core.clock import SystemClock
from core.database import Database
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tracking.ingestion.records import create_ingestion
from tracking.web import routes

KEY = WorkspaceKey((bytes(range(32)),))


def make_app(runtime: Runtime) -> Starlette:
    ingestion = create_ingestion(runtime)

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        ingestion.start()
        yield
        ingestion.stop()

    return Starlette(routes=routes(runtime, ingestion, view_message=lambda _token_id: "<p>Hello</p>"), lifespan=running)


def configure(app: Starlette, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app, port=port, loop="uvloop", http="httptools", ws="none", log_level="error", access_log=False
    )


def main(database_url: str, keys_url: str, port: str, state: str, way: str) -> None:
    vault = Vault(KEY, open_key_store(keys_url))
    app = make_app(Runtime(Settings(state=state, ingestion=way), Database(database_url), vault, SystemClock()))
    uvicorn.Server(configure(app, int(port))).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
