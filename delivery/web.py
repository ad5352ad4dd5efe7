"""The web's entrance for providers: `POST /v1/callbacks/ses`, by SNS, believed only with its signature.

A report is answered once it is durable; many of them share one transaction, which the application's writer opens.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import InputError, PermanentError, TransientError
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.callbacks.events import read_event
from delivery.callbacks.ses_events import ProviderReport
from delivery.callbacks.sns import SnsMessage, SnsVerifier
from delivery.feedback import record_report

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 1_000_000
_RETRY = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified report, as it came: `key` is the provider's id of the notification."""

    key: str
    report: ProviderReport
    document: str
    received_at: datetime


Submit = Callable[[Callback], Awaitable[Any]]


def routes(runtime: Runtime, submit: Submit) -> list[BaseRoute]:
    """The routes of delivery; `submit` comes back when a callback is durable (see `store_callbacks`)."""
    settings = runtime.settings
    folder = Path(settings.sns_certificates) if settings.sns_certificates else None
    verifier = SnsVerifier(settings.trusted_topics, folder)

    async def take_ses_callback(request: Request) -> Response:
        body = await request.body()
        if len(body) > _MAX_BODY_BYTES:
            return JSONResponse({"error": "a notification is at most 1 MB."}, status_code=413)
        try:
            callback = await run_in_threadpool(_read, runtime, verifier, body)
            if callback is not None:
                await submit(callback)
        except (InputError, PermanentError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except TransientError as error:
            return JSONResponse({"error": str(error)}, status_code=503, headers=_RETRY)
        return Response(status_code=204)

    return [Route("/v1/callbacks/ses", take_ses_callback, methods=["POST"])]


def store_callbacks(runtime: Runtime) -> Callable[[Connection, Sequence[Callback]], list[bool]]:
    """Records callbacks in the writer's transaction; answers for each whether it was new."""

    def store(connection: Connection, callbacks: Sequence[Callback]) -> list[bool]:
        workspace = get_workspace(connection)
        return [
            record_report(
                connection,
                runtime.vault,
                workspace,
                callback.report,
                key=callback.key,
                document=callback.document,
                received_at=callback.received_at,
            )
            for callback in callbacks
        ]

    return store


def _read(runtime: Runtime, verifier: SnsVerifier, body: bytes) -> Callback | None:
    message = verifier.read(body)
    if message.type == "Notification":
        now = runtime.clock.now()
        return Callback(f"sns:{message.message_id}", read_event(message.message, now), message.message, now)
    if message.type == "SubscriptionConfirmation" and message.token:
        _confirm(runtime, message, message.token)
    return None


def _confirm(runtime: Runtime, message: SnsMessage, token: str) -> None:
    from delivery.callbacks.subscriptions import confirm_subscription  # boto3 takes a while to load

    confirm_subscription(runtime.settings, message.topic_arn, token)
    log.info("confirmed the subscription to %s", message.topic_arn)
