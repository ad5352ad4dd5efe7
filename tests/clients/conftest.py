"""The routes of tracking on a free port, for clients that know nothing of Postilion but its address and a write key."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import SystemClock
from core.database import Database
from core.definitions import publish
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind, customer_event
from tests.clients.waiting import wait_until
from tests.tracking.conftest import WORKSPACE_DOCUMENT
from tests.tracking.server import KEY, configure, make_app
from tracking.events.quarantine import list_quarantined
from tracking.events.write_keys import create_write_key

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"


@dataclass
class Faulty:
    """Lets requests through and then answers some with a fault, as when an answer is lost on its way."""

    app: ASGIApp
    faults: list[int] = field(default_factory=list)
    seen: list[tuple[str, str, int]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or "flags" in scope["path"]:
            await self.app(scope, receive, send)
            return
        fault = self.faults.pop(0) if self.faults else None

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.seen.append((scope["method"], scope["path"], message["status"]))
                if fault is not None:
                    message = {**message, "status": fault}
                    if fault == 429:
                        message["headers"] = [*message["headers"], (b"retry-after", b"1")]
            await send(message)

        await self.app(scope, receive, answer)


@dataclass
class Shop:
    """A running server and what it has stored."""

    host: str
    page_origin: str
    runtime: Runtime
    faulty: Faulty
    secret: str
    public: str

    def events(self) -> list[Any]:
        with self.runtime.database.read() as connection:
            return list(connection.execute(select(customer_event).order_by(customer_event.c.id)).all())

    def wait_for(self, *names: str) -> None:
        """Until these events and Alice's attributes are stored. Fails with what came instead."""

        def is_done() -> bool:
            return {event.name for event in self.events()} >= set(names) and self.alice() is not None

        def tell() -> str:
            with self.runtime.database.read() as connection:
                refused = list_quarantined(connection, 20)
            return f"requests {self.faulty.seen}, events {[e.name for e in self.events()]}, refused {refused}"

        wait_until(is_done, tell)

    def alice(self) -> Any:
        """Her profile, once her attributes are known."""
        with self.runtime.database.read() as connection:
            found = find_profile(connection, self.runtime.vault, IdentityKind.EXTERNAL_ID, "alice")
            profile = get_profile(connection, self.runtime.vault, found) if found is not None else None
        return profile if profile is not None and "tier" in profile.attributes else None

    def owner_of_visitor(self, visitor: str) -> int | None:
        with self.runtime.database.read() as connection:
            return find_profile(connection, self.runtime.vault, IdentityKind.VISITOR, visitor)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Shop]:
    vault = Vault(KEY, open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    clock = SystemClock()
    with socket.socket() as listener, socket.socket() as page_listener:
        listener.bind(("127.0.0.1", 0))
        page_listener.bind(("127.0.0.1", 0))
        page_origin = f"http://127.0.0.1:{page_listener.getsockname()[1]}"
        page_listener.close()
        host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = Settings(project=str(tmp_path), public_url=host, cors_origins=page_origin)
        runtime = Runtime(settings, database, vault, clock)
        with database.transaction() as connection:
            publish(connection, "workspace", "shop", document=WORKSPACE_DOCUMENT, source="", file="w", now=clock.now())
            keys = [
                create_write_key(connection, vault, kind=kind, name=name, now=clock.now())
                for kind, name in (("secret", "backend"), ("public", "web"))
            ]
        app = make_app(runtime)
        faulty = Faulty(app)
        configuration = configure(app, 0)
        configuration.app = faulty
        server = uvicorn.Server(configuration)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, lambda: "the server did not start")
        try:
            yield Shop(host, page_origin, runtime, faulty, *keys)
        finally:
            server.should_exit = True
            thread.join(20)
            vault.close()


@pytest.fixture(scope="session")
def node() -> str:
    """The Node.js program, with the packages of package-lock.json beside the tests."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        missing("Node.js and npm are not installed; run: sudo apt-get install -y nodejs npm")
    assert program is not None
    assert npm is not None
    with (FOLDER / ".installing").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # test processes share the folder
        _install(npm)
    return program


def _install(npm: str) -> None:
    """What package-lock.json names, where it is not there yet."""
    installed, locked = MODULES / ".package-lock.json", FOLDER / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= locked.stat().st_mtime:
        return
    # Not `npm ci`, which wants the packages of all other platforms in the lock file as well.
    command = [npm, "install", "--no-save", "--ignore-scripts"]
    made = subprocess.run(command, check=False, cwd=FOLDER, capture_output=True, text=True, timeout=400)
    if made.returncode:
        missing(f"npm install failed: {made.stderr.strip()[-500:]}")


def missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
