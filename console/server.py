"""Serving the web application: in this process until it is told to stop, or beside other work in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from console.app import create_app
from console.mail_first import mail_first
from core.errors import EnvironmentFaultError
from core.runtime import Runtime

_START_S = 15.0


def serve(runtime: Runtime) -> None:
    """Serve on the settings' host and port until SIGINT or SIGTERM."""
    with _listen(runtime) as listener:
        _server(runtime).run(sockets=[listener])


@contextmanager
def serving(runtime: Runtime) -> Iterator[str]:
    """Serve in a thread while the block runs; yields the address."""
    with _listen(runtime) as listener:
        server = _server(runtime)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            host, port = listener.getsockname()[:2]
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()


def _listen(runtime: Runtime) -> socket.socket:
    settings = runtime.settings
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port_number))
    except OSError as error:
        listener.close()
        raise EnvironmentFaultError(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}): "
            "end what uses it, or choose another POSTILION_PORT."
        ) from None
    return listener


def _server(runtime: Runtime) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            mail_first(create_app(runtime)),
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    )


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    waited = 0.0
    tick = threading.Event()
    while not server.started:
        if not thread.is_alive() or waited > _START_S:
            raise EnvironmentFaultError("the web server did not start: see the log above.")
        tick.wait(0.02)
        waited += 0.02
