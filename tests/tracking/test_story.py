"""One customer's way past a real web server: first visit, mail, open, click, order, and the way out."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.client import HTTPMessage
from typing import IO, Any

import pytest
import uvicorn
from sqlalchemy import select
from starlette.applications import Starlette

from core.clock import ManualClock
from core.runtime import Runtime
from customers.consent import ConsentStatus, consent_of
from customers.profiles import find_profile
from customers.workspace import Workspace
from tests.tracking.conftest import BROWSER, SendMail
from tests.tracking.server import configure
from tracking.attribution import credit_orders
from tracking.engagement import SETTLING, settle_engagement
from tracking.tables import conversion


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


@pytest.fixture
def address(app: Starlette) -> Iterator[str]:
    """The app behind uvicorn, uvloop and httptools, on a free port."""
    server = uvicorn.Server(configure(app, 0))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def _call(url: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    opener = urllib.request.build_opener(_NoRedirect)
    request = urllib.request.Request(url, body, {"User-Agent": BROWSER, **headers})
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, dict(answer.headers), answer.read()


def test_a_mail_is_credited_with_the_order_when_alice_opens_clicks_and_buys(
    address: str,
    runtime: Runtime,
    workspace: Workspace,
    clock: ManualClock,
    send_mail: SendMail,
    secret_key: str,
    logged: Callable[..., list[Any]],
) -> None:
    def post(*calls: dict[str, Any]) -> None:
        numbered = [{"messageId": f"{clock.now()}-{number}", **call} for number, call in enumerate(calls)]
        body = json.dumps({"writeKey": secret_key, "batch": numbered}).encode()
        status, _, answer = _call(f"{address}/v1/batch", body)
        assert (status, json.loads(answer)["left_out"]) == (200, 0)

    def tick() -> None:
        clock.advance(SETTLING)
        with runtime.database.transaction() as connection:
            settle_engagement(connection, runtime.vault, workspace, clock.now())
            credit_orders(connection, clock.now())

    post({"type": "track", "event": "Product Viewed", "anonymousId": "v1", "properties": {"product_id": "TEA-001"}})
    post({"type": "identify", "userId": "alice", "anonymousId": "v1", "traits": {"email": "alice@shop.example"}})
    mail = send_mail(email="alice@shop.example")
    with runtime.database.read() as connection:
        assert find_profile(connection, runtime.vault, "external_id", "alice") == mail.profile_id

    clock.advance(timedelta(hours=1))
    assert _call(address + mail.path("pixel"))[0] == 200
    clock.advance(timedelta(minutes=1))
    status, headers, _ = _call(address + mail.link(1))
    assert (status, headers["location"]) == (302, "https://shop.example/tea?cup=1&pot=2")
    tick()
    order = {"order_id": "1001", "products": [{"product_id": "TEA-001", "price": 4.5, "quantity": 2}]}
    post({"type": "track", "event": "Order Completed", "userId": "alice", "properties": order})
    tick()
    assert _call(address + mail.path("unsubscribe"), b"List-Unsubscribe=One-Click")[0] == 200

    assert [(event.name, event.profile_id) for event in logged()] == [
        (name, mail.profile_id)
        for name in (
            "product_viewed",
            "profile_merged",  # the visitor was nobody until it identified
            "message_opened",
            "link_clicked",
            "order_placed",
            "unsubscribed",
            "consent_withdrawn",
        )
    ]
    assert [event.properties["is_human"] for event in logged("message_opened", "link_clicked")] == [True, True]
    with runtime.database.read() as connection:
        credited = connection.execute(select(conversion)).one()
        consent = consent_of(connection, "email", "marketing", [mail.lookup], clock.now())
    assert (credited.message_id, credited.rule, credited.amount) == (mail.message_id, "clicked", 900)
    assert consent == {mail.lookup: ConsentStatus.WITHDRAWN}
