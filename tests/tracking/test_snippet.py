"""The page snippet in a real Chromium: what it sends, stores and leaves alone."""

from __future__ import annotations

import gzip
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select

from core.runtime import Runtime
from customers.profiles import find_profile, load_profiles
from customers.tables import IdentityKind, customer_event, identity
from tests.tracking.chromium import Tab, chromium
from tests.tracking.conftest import TestClient
from tests.tracking.server import configure, make_app
from tracking.snippet.source import digest, integrity, script, tag
from tracking.visitor_cookie import NAME

CSP = "default-src 'none'; script-src {api}; connect-src {api}"
STORED = "localStorage.getItem('postilion.queue')"


@dataclass(frozen=True, slots=True)
class Site:
    """A shop's page at `page`, and our server at `api`; `head` is what stands on the page before the snippet."""

    page: str
    api: str
    runtime: Runtime
    shown: dict[str, str]

    def show(self, key: str, *, consent: str | None = None, text: str = "") -> str:
        """Put the snippet on the page; answers its address."""
        self.shown["html"] = f"<!doctype html><title>Tea</title>{text}{tag(self.api, key, consent)}"
        return f"{self.page}/tea?utm_source=letter&utm_campaign=spring&size=2"

    def events(self, *names: str) -> list[Any]:
        with self.runtime.database.read() as connection:
            rows = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
        return [row for row in rows if row.name in names or (not names and row.source == "web")]

    def wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until, [(row.name, row.profile_id) for row in self.events()]
            time.sleep(0.05)


@pytest.fixture
def site(runtime: Runtime) -> Iterator[Site]:
    """Page and server are of one site, as `shop.example` and `t.shop.example` are."""
    shown: dict[str, str] = {}

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = shown["html"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", CSP.format(api=shown["api"]))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it so
            return

    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    page = f"http://localhost:{pages.server_port}"
    settings = replace(runtime.settings, cors_origins=page)
    with _serving(replace(runtime, settings=settings)) as api:
        shown["api"] = api
        yield Site(page, api, runtime, shown)
    pages.shutdown()
    pages.server_close()


@contextmanager
def _serving(runtime: Runtime) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(configure(make_app(runtime), port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with chromium() as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Tab:
    browser.ask("Network.clearBrowserCookies")
    _cut_off(browser, offline=False)
    browser.complaints.clear()
    return browser


def _cut_off(tab: Tab, *, offline: bool) -> None:
    speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    tab.ask("Network.emulateNetworkConditions", offline=offline, **speed)


def _cookies(tab: Tab) -> list[Any]:
    return [one for one in tab.ask("Network.getAllCookies")["cookies"] if one["name"] == NAME]


def test_pages_and_events_become_alices_when_she_says_who_she_is(site: Site, tab: Tab, public_key: str) -> None:
    tab.open(site.show(public_key, consent="granted"))
    tab.wait("window.postilion && postilion.version === 1")
    site.wait(lambda: len(site.events("page_viewed")) == 1)
    tab.run("postilion.track('Product Viewed', {product_id: 'T-1', price: 4.5})")
    site.wait(lambda: len(site.events("product_viewed")) == 1)
    tab.run("postilion.push(['identify', 'alice', {tier: 'gold'}])")
    tab.run("postilion.group('acme', {name: 'Acme'})")
    site.wait(lambda: len(site.events("group_joined")) == 1)
    with site.runtime.database.read() as connection:
        alice = find_profile(connection, site.runtime.vault, IdentityKind.EXTERNAL_ID, "alice")
        assert alice is not None
        person = load_profiles(connection, site.runtime.vault, [alice])[alice]
    assert {row.profile_id for row in site.events("page_viewed", "product_viewed", "group_joined")} == {alice}
    assert site.events("page_viewed")[0].properties["path"] == "/tea"
    assert person.attributes["tier"] == "gold"
    (cookie,) = _cookies(tab)
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert 399 < (cookie["expires"] - time.time()) / 86_400 <= 400
    assert tab.run("document.cookie") == ""
    assert tab.complaints == []


def test_nothing_is_stored_and_nobody_is_known_when_nobody_has_consented(site: Site, tab: Tab, public_key: str) -> None:
    tab.open(site.show(public_key))
    tab.wait("window.postilion && postilion.version === 1")
    tab.run("postilion.identify('alice', {tier: 'gold'})")
    tab.run("postilion.track('Product Viewed', {product_id: 'T-1'})")
    site.wait(lambda: len(site.events("page_viewed", "product_viewed")) == 2)
    assert [row.profile_id for row in site.events()] == [None, None]
    assert tab.run(STORED) is None
    assert _cookies(tab) == []
    tab.run("postilion.consent({analytics: true})")
    site.wait(lambda: bool(_cookies(tab)))
    with site.runtime.database.read() as connection:
        assert find_profile(connection, site.runtime.vault, IdentityKind.EXTERNAL_ID, "alice") is not None
    tab.run("postilion.consent({analytics: false})")
    site.wait(lambda: not _cookies(tab))


def test_nobody_is_known_when_the_browser_asks_for_privacy(site: Site, tab: Tab, public_key: str) -> None:
    added = tab.ask(
        "Page.addScriptToEvaluateOnNewDocument",
        source="Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
    )
    tab.open(site.show(public_key, consent="granted"))
    tab.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
    tab.wait("window.postilion && postilion.version === 1")
    tab.run("postilion.identify('alice')")
    tab.run("postilion.track('Product Viewed', {product_id: 'T-1'})")
    site.wait(lambda: len(site.events("product_viewed")) == 1)
    assert {row.profile_id for row in site.events()} == {None}
    assert (_cookies(tab), tab.run(STORED)) == ([], None)
    with site.runtime.database.read() as connection:
        assert connection.execute(select(identity)).all() == []


def test_events_wait_and_come_once_when_the_browser_was_offline(site: Site, tab: Tab, public_key: str) -> None:
    tab.open(site.show(public_key, consent="granted"))
    tab.wait("window.postilion && postilion.version === 1")
    site.wait(lambda: len(site.events("page_viewed")) == 1)
    _cut_off(tab, offline=True)
    tab.run("for (let n = 0; n < 250; n++) postilion.track('Product Viewed', {product_id: 'T-' + n})")
    time.sleep(0.6)
    assert tab.run(f"JSON.parse({STORED}).length") == 200
    assert site.events("product_viewed") == []
    _cut_off(tab, offline=False)
    site.wait(lambda: len(site.events("product_viewed")) == 200)
    tab.wait(f"{STORED} === null")
    assert site.events("product_viewed")[-1].properties["product_id"] == "T-249"


def test_the_last_event_arrives_once_when_the_page_is_left(site: Site, tab: Tab, public_key: str) -> None:
    tab.open(site.show(public_key, consent="granted"))
    tab.wait("window.postilion && postilion.version === 1")
    site.wait(lambda: len(site.events("page_viewed")) == 1)
    tab.run("postilion.track('Product Added', {product_id: 'T-1'}); location.href = 'about:blank'")
    site.wait(lambda: len(site.events("product_added")) == 1)
    time.sleep(0.3)
    assert len(site.events("product_added")) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_calls_come_again_with_the_same_ids_when_the_server_is_in_trouble(
    site: Site, tab: Tab, public_key: str, status: int
) -> None:
    bodies: list[bytes] = []

    class Troubled(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(status if len(bodies) == 1 else 200, site.page, b"")

        def do_GET(self) -> None:
            self._answer(200, "*", script())

        def _answer(self, code: int, origin: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "text/javascript")
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Access-Control-Allow-Credentials", "true")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it so
            return

    troubled = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Troubled)
    threading.Thread(target=troubled.serve_forever, daemon=True).start()
    site.shown["api"] = api = f"http://localhost:{troubled.server_port}"
    try:
        tab.open(replace(site, api=api).show(public_key, consent="granted"))
        site.wait(lambda: len(bodies) == 2)
    finally:
        troubled.shutdown()
        troubled.server_close()
    first, again = (json.loads(body)["batch"] for body in bodies)
    assert [call["messageId"] for call in first] == [call["messageId"] for call in again]


def test_the_snippet_is_small_and_cached_and_checked_when_it_is_served(client: TestClient, public_key: str) -> None:
    assert len(gzip.compress(script(), 9)) <= 4_096
    first = client.get("/postilion.js", headers={"Origin": "https://shop.example"})
    assert first.content == script()
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in first.headers
    again = client.get("/postilion.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    lasting = client.get(f"/postilion.{digest()}.js")
    assert "immutable" in lasting.headers["cache-control"]
    assert client.get("/postilion.0123456789abcdef.js").status_code == 404
    assert integrity() in tag("https://t.shop.example", public_key)
