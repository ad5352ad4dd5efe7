"""The web's entrance of journeys: `POST /v1/journeys/{journey}/entries`, for servers with a secret write key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.errors import EnvironmentFaultError, InputError, NotFoundError, PermanentError, TransientError
from core.runtime import Runtime
from journeys.entries.requests import MAX_BODY, Answer, Declined, Submission, read_request
from tracking.events.secret_keys import SecretKeys
from tracking.events.write_keys import WriteKeyKind

Submit = Callable[[Submission], Awaitable[Any]]  # comes back with an Answer, once it is durable

_RETRY_AFTER = {"Retry-After": "5"}
_BUSY = "nothing can be stored at the moment: send it again, with the same key."


def routes(runtime: Runtime, submit: Submit) -> list[BaseRoute]:
    keys = SecretKeys(runtime)

    async def enter(request: Request) -> Response:
        key = await keys.find(request.headers)
        if key is None:
            return _fault(401, "a secret write key is needed: `postilion write-key create NAME` makes one.")
        if key.kind is not WriteKeyKind.SECRET:
            return _fault(403, "everybody can read a public write key: use a secret one, from a server.")
        body = await _read(request)
        if body is None:
            return _fault(413, f"a request has at most {MAX_BODY:,} bytes.")
        journey, offered = request.path_params["journey"], request.headers.get("idempotency-key")
        answer: Answer = await submit(read_request(journey, body, offered, runtime.clock.now()))
        return _answer(answer)

    async def guarded(request: Request) -> Response:
        try:
            return await enter(request)
        except (InputError, PermanentError) as error:
            return _fault(400, str(error))
        except NotFoundError as error:
            return _fault(404, str(error))
        except (TransientError, EnvironmentFaultError, SQLAlchemyError):
            return _fault(503, _BUSY, _RETRY_AFTER)

    return [Route("/v1/journeys/{journey}/entries", guarded, methods=["POST"])]


def _answer(answer: Answer) -> Response:
    if isinstance(answer, Declined):
        return _fault(answer.status, answer.message)
    headers = {"Idempotent-Replayed": "true"} if answer.is_repeated else {}
    return _json({"id": answer.id, "status": "accepted"}, 202, headers)


def _fault(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"error": text}, status, headers)


def _json(document: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    content = msgspec.json.encode(document)
    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


async def _read(request: Request) -> bytes | None:
    """The body, None when it is longer than what a request may have: then no more of it is read."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)
