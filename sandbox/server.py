"""Serves a sandbox: blocking for the command line, or in a thread for tests and the demo."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.errors import EnvironmentFaultError
from sandbox.app import create_app
from sandbox.options import SandboxOptions
from sandbox.wire.router import DROP_EXTENSION

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class DroppingProtocol(HttpToolsProtocol):
    """Hands the application the means to close the connection in the middle of a request."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DROP_EXTENSION: {"close": self.transport.close}}


class _Server(uvicorn.Server):
    def __init__(self, options: SandboxOptions, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(options),
                loop="uvloop",
                http=DroppingProtocol,
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    options: SandboxOptions,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once with the URL. Port 0 takes a free one.

    Raises EnvironmentFaultError when the address cannot be bound.
    """
    with _listening(host, port) as listener:
        url = _url(listener)
        server = _Server(options, lambda: ready(url) if ready else None)
        # uvicorn raises the interrupt once more after it has shut down cleanly.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


class SandboxServer:
    """A sandbox in a thread: `with SandboxServer(options) as sandbox: … sandbox.url`."""

    def __init__(self, options: SandboxOptions | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = _listening(host, port)
        self.url = _url(self._listener)
        self._started = threading.Event()
        self._server = _Server(options or SandboxOptions(), self._started.set)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="sandbox", daemon=True
        )

    def __enter__(self) -> SandboxServer:
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise EnvironmentFaultError(f"The sandbox did not start within {START_SECONDS:.0f} seconds.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish open requests, stop publishing, write what is stored."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._listener.close()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise EnvironmentFaultError(
            f"The sandbox cannot listen on {host}:{port} ({error}); choose another port."
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
