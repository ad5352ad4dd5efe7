"""Clients of other products in a real browser, on a page of another origin, with a public key."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from campaigns.pictures import find_chromium
from tests.clients.conftest import FOLDER, MODULES, Shop, missing

# Where each says that the page is: Jitsu's client believes the browser alone.
PAGES = {"segment.html": "/tea", "rudderstack.html": "/tea", "posthog.html": "/tea", "jitsu.html": "/"}


class _Pages(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, page: str, **options: Any) -> None:
        self._page = page
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        body = self._page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is that of the base class
        return


@contextmanager
def _page(shop: Shop, name: str) -> Iterator[str]:
    text = (FOLDER / "drivers" / name).read_text()
    page = text.replace("{{ host }}", shop.host).replace("{{ key }}", shop.public)
    handler = functools.partial(_Pages, page=page, directory=str(MODULES))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", urlsplit(shop.page_origin).port or 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{shop.page_origin}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def _browser(url: str, profile: Path) -> Iterator[Path]:
    """Chromium on `url`; yields the file with what its console says."""
    program = find_chromium()
    if program is None:
        missing("Chromium is not installed; run: sudo apt-get install -y chromium")
    log = profile / "console.log"
    options = [
        "--headless=new",
        "--no-first-run",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--enable-logging=stderr",
    ]
    options += ["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    with log.open("wb") as console:
        process = subprocess.Popen(
            [str(program), *options, f"--user-data-dir={profile / 'chromium'}", "--remote-debugging-port=0", url],
            stdout=subprocess.DEVNULL,
            stderr=console,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(profile), "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            yield log
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("page", PAGES)
def test_a_browser_client_is_understood_when_only_its_host_is_changed(
    page: str, node: str, shop: Shop, tmp_path: Path
) -> None:
    with _page(shop, page) as url, _browser(url, tmp_path) as log:
        try:
            shop.wait_for("product_viewed", "page_viewed")
        except AssertionError as error:
            said = [line for line in log.read_text("utf-8", "replace").splitlines() if "CONSOLE" in line]
            raise AssertionError(f"{error}\n" + "\n".join(said)) from None
    alice = shop.alice()
    assert alice.email.value == "alice@shop.example"
    assert dict(alice.attributes) == {"tier": "gold", "first_name": "Alice"}
    assert shop.owner_of_visitor("v1") == alice.id
    events = {event.name: event for event in shop.events() if event.name in ("product_viewed", "page_viewed")}
    assert {event.profile_id for event in events.values()} == {alice.id}
    assert events["product_viewed"].properties == {"product_id": "TEA-1", "price": 4.5}
    assert events["page_viewed"].properties == {"path": PAGES[page]}
    assert {event.source for event in events.values()} == {"web"}
