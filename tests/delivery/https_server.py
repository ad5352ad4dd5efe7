"""A real https server for tests that keeps what it is posted and answers, or misbehaves, as it is told."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpsServer:
    """`status` and `headers` are those of the next answers; `drops` hangs up after the call was taken in; `drip_s`
    sends its answer one byte at a time, with so many seconds between two. With `keeps_open` a connection serves more
    than one call; `connection_count` counts them.
    """

    def __init__(self, certificate: ssl.SSLContext, *, keeps_open: bool = False) -> None:
        self.calls: list[Call] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.drops = False
        self.drip_s = 0.0
        self.released = threading.Event()
        self.connection_count = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if keeps_open else "HTTP/1.0"

            def setup(self) -> None:
                owner.connection_count += 1
                super().setup()

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.calls.append(Call(self.command, self.path, headers, body))
                if owner.drops:
                    self.close_connection = True
                    return
                if owner.drip_s:
                    self._drip()
                    return
                self.send_response(owner.status)
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def _drip(self) -> None:
                for byte in b"HTTP/1.1 200 OK and then some more words\r\n\r\n":
                    if owner.released.wait(owner.drip_s):
                        return
                    try:
                        self.wfile.write(bytes([byte]))
                    except OSError:
                        return

            def do_POST(self) -> None:
                self._take()

            def do_PUT(self) -> None:
                self._take()

            def do_GET(self) -> None:
                self._take()

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hangs up is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = certificate.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"https://localhost:{self.port}/hooks/letters?from=postilion"

    def __enter__(self) -> HttpsServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
