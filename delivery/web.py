"""The web's entrance for providers: `POST /v1/callbacks/ses`, by SNS, believed only with its signature.

A report is answered once it is durable; many of them share one transaction, which the application's writer opens.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import InputError, PermanentError, TransientError
from core.runtime import Runtime
from delivery.callbacks.events import read_event
from delivery.callbacks.notifications import open_notification
from delivery.callbacks.sns import SnsMessage, SnsVerifier
from delivery.intake import Callback

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 1_000_000
_RETRY = {"Retry-After": "5"}

Submit = Callable[[Callback], Awaitable[Any]]


def routes(runtime: Runtime, submit: Submit) -> list[BaseRoute]:
    """The routes of delivery; `submit` comes back when a callback is durable (see `intake.store_callbacks`)."""
    settings = runtime.settings
    folder = Path(settings.sns_certificates) if settings.sns_certificates else None
    verifier = SnsVerifier(settings.trusted_topics, folder)

    async def take_ses_callback(request: Request) -> Response:
        try:
            body = await _read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
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


async def _read_body(request: Request) -> bytes | None:
    """The body; None as soon as it is too large, whatever its headers say."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            return None
    return bytes(body)


def _read(runtime: Runtime, verifier: SnsVerifier, body: bytes) -> Callback | None:
    message = verifier.read(body)
    if message.type == "Notification":
        now = runtime.clock.now()
        text = open_notification(message.message).text  # EventBridge may stand behind SNS
        return Callback(f"sns:{message.message_id}", read_event(text, now), text, now)
    if message.type == "SubscriptionConfirmation" and message.token:
        _confirm(runtime, message, message.token)
    elif message.type == "UnsubscribeConfirmation":
        log.warning("%s sends its reports here no more: somebody has ended the subscription", message.topic_arn)
    return None


def _confirm(runtime: Runtime, message: SnsMessage, token: str) -> None:
    from delivery.callbacks.subscriptions import confirm_subscription  # boto3 takes a while to load

    confirm_subscription(runtime.settings, message.topic_arn, token)
    log.info("confirmed the subscription to %s", message.topic_arn)
