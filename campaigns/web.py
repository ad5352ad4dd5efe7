"""The web's entrance of the transactional API: `/v1/messages`, for the shop's own servers with a secret write key.

A message is durable before it is answered for; many requests share one transaction, which the application's writer
opens (see `transactional.accept`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from campaigns.transactional.answers import Accepted, Answer, Problem, Refused
from campaigns.transactional.request import MAX_BODY, Submission, read_message, read_messages
from campaigns.transactional.status import cancel, get_status
from core.errors import ConflictError, EnvironmentFaultError, InputError, NotFoundError, PermanentError, TransientError
from core.runtime import Runtime
from tracking.events.secret_keys import SecretKeys
from tracking.events.write_keys import WriteKeyKind

Submit = Callable[[Submission], Awaitable[Any]]  # comes back with an Answer, once it is durable
_Handle = Callable[[Request], Awaitable[Response]]

_RETRY_AFTER = {"Retry-After": "5"}
_CONFLICTS = frozenset({Problem.KEY_REUSED, Problem.ERASED})
_BUSY = "nothing can be stored at the moment: send it again, with the same key."


def routes(runtime: Runtime, submit: Submit) -> list[BaseRoute]:
    api = _Api(runtime, submit)
    return [
        Route("/v1/messages", api.guard(api.take), methods=["POST"]),
        Route("/v1/messages/batch", api.guard(api.take_batch), methods=["POST"]),
        Route("/v1/messages/{message_id}", api.guard(api.show), methods=["GET"]),
        Route("/v1/messages/{message_id}", api.guard(api.cancel), methods=["DELETE"]),
    ]


class _Api:
    def __init__(self, runtime: Runtime, submit: Submit) -> None:
        self._runtime = runtime
        self._submit = submit
        self._keys = SecretKeys(runtime)

    def guard(self, handle: _Handle) -> _Handle:
        """Asks for a secret write key first, and tells faults as JSON sentences."""

        async def guarded(request: Request) -> Response:
            try:
                key = await self._keys.find(request.headers)
                if key is None:
                    return _fault(401, "a secret write key is needed: `postilion write-key create NAME` makes one.")
                if key.kind is not WriteKeyKind.SECRET:
                    return _fault(403, "everybody can read a public write key: use a secret one, from a server.")
                return await handle(request)
            except InputError as error:
                return _fault(400, str(error))
            except NotFoundError as error:
                return _fault(404, str(error))
            except ConflictError as error:
                return _fault(409, str(error))
            except (TransientError, EnvironmentFaultError, SQLAlchemyError):
                return _fault(503, _BUSY, headers=_RETRY_AFTER)

        return guarded

    async def take(self, request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return _fault(413, f"a request has at most {MAX_BODY:,} bytes.")
        submission = read_message(body, request.headers.get("idempotency-key"), self._runtime.clock.now())
        return _answer(await self._store(submission))

    async def take_batch(self, request: Request) -> Response:
        """202 with an answer for each message, in their order: one that is refused leaves the others be."""
        body = await _read(request)
        if body is None:
            return _fault(413, f"a request has at most {MAX_BODY:,} bytes: send smaller batches.")
        submissions = read_messages(body, request.headers.get("idempotency-key"), self._runtime.clock.now())
        # Where one fails all are asked for again, and what was stored meanwhile then answers as it did.
        answers = await asyncio.gather(*map(self._store, submissions))
        return _json({"messages": [_document(answer) for answer in answers]}, 202)

    async def show(self, request: Request) -> Response:
        return _json(await run_in_threadpool(self._show, request.path_params["message_id"]))

    async def cancel(self, request: Request) -> Response:
        message_id = request.path_params["message_id"]
        await run_in_threadpool(self._cancel, message_id)
        return _json({"id": message_id, "status": "cancelled"})

    async def _store(self, submission: Submission) -> Answer:
        try:
            answer: Answer = await self._submit(submission)
        except PermanentError as error:
            raise InputError(str(error)) from error
        return answer

    def _show(self, message_id: str) -> dict[str, Any]:
        with self._runtime.database.read() as connection:
            return get_status(connection, message_id)

    def _cancel(self, message_id: str) -> None:
        with self._runtime.database.transaction() as connection:
            cancel(connection, message_id, self._runtime.clock.now())


def _answer(answer: Answer) -> Response:
    if isinstance(answer, Refused):
        return _json(_document(answer), _status(answer))
    headers = {"Location": f"/v1/messages/{answer.id}"}
    if answer.is_repeated:
        headers["Idempotent-Replayed"] = "true"
    return _json(_document(answer), 202, headers)


def _document(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Accepted):
        document = {"id": answer.id, "status": answer.status}
        return {**document, "reason": answer.reason} if answer.reason else document
    refused: dict[str, Any] = {"error": answer.message, "problem": answer.problem, "code": _status(answer)}
    return {**refused, "missing": list(answer.missing)} if answer.missing else refused


def _status(refused: Refused) -> int:
    return HTTPStatus.CONFLICT if refused.problem in _CONFLICTS else HTTPStatus.UNPROCESSABLE_ENTITY


def _fault(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"error": text}, status, headers)


def _json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
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
