"""A shop page on one origin, our server on another, and a Chromium that looks at the page."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from sqlalchemy import insert, select
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

import recommender.web
import recommender.widget.web
from core.definitions import publish
from core.runtime import Runtime
from customers.tables import identity
from recommender.publish import refresh_rules
from recommender.serving.server import OfferServer
from recommender.tables import offer_decision, offer_impression
from tests.clients.waiting import wait_until
from tests.recommender.shop import NOW, Bought, add_orders, add_products, add_profiles, planted_orders
from tests.tracking.chromium import Tab, chromium
from tests.tracking.server import configure

POLICY = (
    "default-src 'none'; script-src {api}; connect-src {api}; img-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
)
STYLE = "body{margin:0;font:16px/1.4 sans-serif}main{padding:1em}postilion-offers{display:block;min-height:22em}"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="#a9542f"/></svg>'
ALICE = "alice-alice-alice-alic"  # as long as the ids that our cookie holds


def create_app(runtime: Runtime) -> Starlette:
    """Our server, as far as pages need it."""
    offers = OfferServer(runtime)

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        offers.start()
        yield
        await offers.close()

    routes = [*recommender.web.routes(runtime, offers), *recommender.widget.web.routes()]
    return Starlette(routes=routes, lifespan=running)


@dataclass
class Faulty:
    """Our server, which asks for patience, or answers with a fault, when it is told to; `asked` is what came."""

    app: ASGIApp
    status: int = 0
    delay_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked.append(f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}")
            await asyncio.sleep(self.delay_s if scope["path"].startswith("/r/v1/rec") else 0)
            if self.status and scope["path"].startswith("/r/v1/rec"):
                origin = dict(scope["headers"]).get(b"origin", b"*")
                headers = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
                await send({"type": "http.response.start", "status": self.status, "headers": headers})
                await send({"type": "http.response.body", "body": b'{"error": "the sky fell"}'})
                return
        await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Site:
    """A shop's page at `page`, and our server at `api`, both behind names of one site."""

    page: str
    api: str
    runtime: Runtime
    faulty: Faulty
    shown: dict[str, str]

    def show(self, body: str, *, lang: str = "en", script: str = "") -> str:
        """Put this on the page, with the widget; answers its address."""
        self.shown["html"] = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Tea</title>'
            f'<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css">'
            f'<script async src="{self.api}/w.js"></script>{script}</head><body><main>{body}</main></body></html>'
        )
        return f"{self.page}/tea"

    def impressions(self) -> list[tuple[str, str | None, str]]:
        """Kind, sku and decision of what was reported, in order."""
        with self.runtime.database.read() as connection:
            rows = connection.execute(select(offer_impression).order_by(offer_impression.c.id)).all()
        return [(row.kind, row.sku, row.decision_id) for row in rows]

    def wait_for(self, count: int) -> list[tuple[str, str | None, str]]:
        wait_until(lambda: len(self.impressions()) >= count, lambda: f"{self.impressions()}, {self.faulty.asked}")
        return self.impressions()

    def decisions(self) -> dict[str, int | None]:
        """Whom each stored decision was made for, of which there is at least one."""
        wait_until(lambda: bool(self._decisions()), lambda: f"{self.faulty.asked}")
        return self._decisions()

    def _decisions(self) -> dict[str, int | None]:
        with self.runtime.database.read() as connection:
            return dict(connection.execute(select(offer_decision.c.id, offer_decision.c.profile_id)).tuples().all())


@pytest.fixture
def alice(runtime: Runtime) -> int:
    """The planted shop with pictures; Alice, whom our cookie knows, bought soap."""
    workspace = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
        add_products(connection)
        add_orders(connection, planted_orders())
        assert refresh_rules(connection, NOW).is_published
        (number,) = add_profiles(connection, 1)
        add_orders(connection, [Bought(NOW - timedelta(days=3), ("GAR00",))], profile_id=number)
        row = {"profile_id": number, "kind": "visitor", "lookup": ALICE, "created_at": NOW}
        connection.execute(insert(identity), [row])
    return number


@pytest.fixture
def site(runtime: Runtime, alice: int) -> Iterator[Site]:
    shown: dict[str, str] = {}

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, text = "text/html; charset=utf-8", shown["html"]
            if self.path.endswith((".css", ".svg", ".js")):
                kind, text = {"css": ("text/css", STYLE), "svg": ("image/svg+xml", PICTURE)}.get(
                    self.path[-3:], ("text/javascript", shown.get("script", ""))
                )
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY.format(api=shown["api"]) + shown.get("policy", ""))
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it so
            return

    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    page = f"http://localhost:{pages.server_port}"
    served = replace(runtime, settings=replace(runtime.settings, cors_origins=page))
    faulty = Faulty(create_app(served))
    faulty = Faulty(create_app(served))
    with serving(faulty) as api:
        shown["api"] = api
        yield Site(page, api, served, faulty, shown)
    pages.shutdown()
    pages.server_close()


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Our server on a free port; its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        configuration = configure(Starlette(), 0)
        configuration.app = app
        server = uvicorn.Server(configuration)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, lambda: "the server did not start")
        try:
            yield f"http://localhost:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with chromium() as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Tab:
    browser.ask("Network.clearBrowserCookies")
    browser.ask("Network.clearBrowserCache")
    browser.complaints.clear()
    return browser


def told(tab: Tab, expression: str) -> Any:
    """What an expression of the page is, in plain values."""
    return json.loads(tab.run(f"JSON.stringify({expression})"))
