"""Calls a webhook once with an example, for whoever sets up its receiver."""

from __future__ import annotations

import ssl
from typing import Any

from core.ids import random_id
from core.runtime import Runtime
from customers.workspace import WebhookSpec
from tracking.outgoing.batches import body_of
from tracking.outgoing.calling import Answer, Caller
from tracking.outgoing.documents import SCHEMA
from tracking.outgoing.signature import secrets_of


def call_once(runtime: Runtime, name: str, spec: WebhookSpec, *, tls: ssl.SSLContext | None = None) -> Answer:
    """Send one call of type `test` with one event of nobody."""
    secrets = secrets_of(runtime.vault.signing_key, runtime.vault.key_version, name)
    allows_private = runtime.settings.reaches_nobody
    with Caller(spec.url, secrets, runtime.clock, tls=tls, allows_private=allows_private) as caller:
        call_id = random_id()
        return caller.call(call_id, body_of("test", [_example(runtime, call_id, spec)]))


def _example(runtime: Runtime, call_id: str, spec: WebhookSpec) -> dict[str, Any]:
    now = runtime.clock.now()
    example = {
        "id": call_id,
        "schema": SCHEMA,
        "name": min(spec.events) if spec.events else "order_placed",
        "occurred_at": now,
        "received_at": now,
        "source": "test",
        "is_historical": False,
        "profile": None,
        "properties": {},
    }
    return {**example, "personal": {}} if spec.is_personal else example
