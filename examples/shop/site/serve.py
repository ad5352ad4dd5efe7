"""Shows the shop's website: `python -m examples.shop.site.serve`, beside a Postilion server that knows its products."""

from __future__ import annotations

import argparse
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from examples.shop.site.pages import FOLDER, IMAGES, Pages, policy

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {f"/{name}": FOLDER / name for name in ("style.css", "site.js")}
_FILES |= {f"/images/{file.name}": file for file in IMAGES.glob("*.svg")}


def create_server(api: str, write_key: str = "", port: int = 0) -> ThreadingHTTPServer:
    """The website on a port of this machine; 0 takes a free one."""
    pages, allowed = Pages(api, write_key), policy(api)

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            file = _FILES.get(path)
            if file is not None:
                self._answer(200, _kind(file), file.read_bytes())
                return
            html = pages.find(path)
            if html is None:
                self._answer(404, "text/plain; charset=utf-8", b"There is no such page.\n")
            else:
                self._answer(200, "text/html; charset=utf-8", html.encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", allowed)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
            return

    return ThreadingHTTPServer(("127.0.0.1", port), Site)


def _kind(file: Path) -> str:
    return _KINDS[file.suffix]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--api", default="http://localhost:8000", help="address of the Postilion server")
    parser.add_argument("--write-key", default="", help="a public write key: visits and baskets are reported with it")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    server = create_server(arguments.api.rstrip("/"), arguments.write_key, arguments.port)
    print(f"http://localhost:{server.server_port}/")  # noqa: T201 - a command
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
