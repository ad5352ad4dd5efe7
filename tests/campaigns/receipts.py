"""A shop whose server asks for receipts: transactional templates, a secret key, and a client of the routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import func, select
from starlette.applications import Starlette

from campaigns.transactional.accept import accept_messages
from campaigns.transactional.request import Submission
from campaigns.web import routes
from core.runtime import Runtime
from delivery.tables import message
from tests.campaigns.shop import NOW, publish_shop, publish_template
from tracking.events.write_keys import create_write_key
from tracking.ingestion.group_commit import Ingestion

RECEIPT = """\
---
template: receipt
channel: email
kind: transactional
subject: "Your order {{ entry.order_id }}"
topic: transactional
sender: letters
needs: [entry.order_id]
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>Thank you, {{ profile.first_name | default("there") }}: order {{ entry.order_id }}.</mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
CODE = """\
---
template: code
channel: sms
kind: transactional
topic: transactional
needs: [entry.code, profile.first_name]
---
{{ profile.first_name }}, your code is {{ entry.code }}.
"""
WITH_OFFERS = RECEIPT.replace("template: receipt", "template: pushy").replace(
    "order {{ entry.order_id }}.</mj-text>", "{{ offers.cross_sell.items }}</mj-text>"
)


class Web:
    """Asks our routes as a server does, without a server."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://links.shop.example") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())


@dataclass
class Server:
    """The shop's server: asks by HTTP, with the secret key unless another is given."""

    runtime: Runtime
    web: Web
    secret: str
    public: str
    answers: list[Any] = field(default_factory=list)

    def post(
        self, document: Any, *, key: str | None = "order-1", path: str = "/v1/messages", secret: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.secret if secret is None else secret}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        answer = self.web.request("POST", path, content=body, headers=headers)
        self.answers.append(answer)
        return answer.status_code, answer.json()

    def ask(self, method: str, message_id: str) -> tuple[int, dict[str, Any]]:
        answer = self.web.request(
            method, f"/v1/messages/{message_id}", headers={"Authorization": f"Bearer {self.secret}"}
        )
        return answer.status_code, answer.json()

    def count(self) -> int:
        with self.runtime.database.read() as connection:
            return connection.execute(select(func.count()).select_from(message)).scalar_one()

    def row(self, message_id: str) -> Any:
        with self.runtime.database.read() as connection:
            return connection.execute(select(message).where(message.c.id == message_id)).one()


def receipt(to: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A request for a receipt; the guest Erin unless `to` says otherwise."""
    return {
        "template": "receipt",
        "to": dict(to or {"email": "erin@people.example"}),
        "data": {"order_id": "4711", "items": [{"sku": "P01", "price": 600}]},
        **changes,
    }


@contextmanager
def serving_messages(runtime: Runtime) -> Iterator[Server]:
    """The published shop behind the routes of the API, with its writer running."""
    with runtime.database.transaction() as connection:
        publish_shop(connection)
        for text in (RECEIPT, CODE, WITH_OFFERS):
            publish_template(connection, text)
        secret = create_write_key(connection, runtime.vault, kind="secret", name="backend", now=NOW)
        public = create_write_key(connection, runtime.vault, kind="public", name="browser", now=NOW)
    ingestion: Ingestion[Submission] = Ingestion(runtime.database, accept_messages(runtime))
    ingestion.start()
    try:
        yield Server(runtime, Web(Starlette(routes=routes(runtime, ingestion.submit))), secret, public)
    finally:
        ingestion.stop()
