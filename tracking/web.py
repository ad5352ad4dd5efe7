"""The web's entrances of tracking: events, pixel, links, and the pages for leaving and choosing.

`/v/<token>` shows a message in the browser where whoever composes messages hands down `view_message`. Starting and
stopping the ingestion is the business of the server's lifespan.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import PermanentError, TransientError
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from tracking.collector import Answer, Collector
from tracking.destinations import Destinations
from tracking.event_spec import MAX_BODY, CallKind
from tracking.handles import Handle, find_handle
from tracking.ingestion import Ingestion
from tracking.mail_requests import Pixel, Redirect
from tracking.pages import Page, notice_page, preference_page, unsubscribe_page, unsubscribed_page
from tracking.tokens import KeyRing, Token, TokenKind, sign, verify
from tracking.unsubscribe import (
    ChoosePreferences,
    Scope,
    Unsubscribe,
    asks_about_opens,
    has_left_opens,
    list_choices,
)

ViewMessage = Callable[[int], str | None]  # a message's token id to its HTML, None when it is shown no more

_MAX_FORM: Final = 10_000
_ONE_CLICK: Final = b"List-Unsubscribe"
_VIEW_POLICY: Final = (
    "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_ALLOWED_HEADERS: Final = "authorization, content-type, anonymousid, sentat, x-write-key"
_RETRY_AFTER_S: Final = "5"


def routes(runtime: Runtime, ingestion: Ingestion[Any], *, view_message: ViewMessage | None = None) -> list[BaseRoute]:
    """All routes of tracking; `ingestion` is that of `records.create_ingestion`, started by the server."""
    key_ring = KeyRing.derive(runtime.vault.signing_key, runtime.vault.key_version)
    destinations = Destinations(runtime.database, runtime.vault)
    pages = _Pages(runtime, ingestion, key_ring, view_message)
    events = _Events(runtime, ingestion)
    return [
        Route("/o/{token}", Pixel(ingestion, key_ring, runtime.clock)),
        Route("/c/{token}", Redirect(ingestion, key_ring, destinations, runtime.clock)),
        Route("/u/{token}", pages.show_unsubscribe, methods=["GET"]),
        Route("/u/{token}", pages.unsubscribe, methods=["POST"]),
        Route("/p/{token}", pages.show_preferences, methods=["GET"]),
        Route("/p/{token}", pages.save_preferences, methods=["POST"]),
        Route("/v/{token}", pages.view, methods=["GET"]),
        Route("/v1/batch", events.taker(None), methods=["POST", "OPTIONS"]),
        *(Route(f"/v1/{kind}", events.taker(kind), methods=["POST", "OPTIONS"]) for kind in CallKind),
    ]


class _Events:
    """`POST /v1/…`, from servers and, by the list of allowed origins, from browsers."""

    def __init__(self, runtime: Runtime, ingestion: Ingestion[Any]) -> None:
        self._collector = Collector(runtime, ingestion)
        self._origins = runtime.settings.allowed_origins

    def taker(self, kind: CallKind | None) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            headers = self._cors(request)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=headers)
            body = await _read(request, MAX_BODY)
            if body is None:
                answer = Answer(413, {"error": f"a request has at most {MAX_BODY:,} bytes: send smaller batches."})
            else:
                answer = await self._collector.take(kind, request.headers, body)
            if answer.retry_after_s is not None:
                headers["Retry-After"] = str(answer.retry_after_s)
            return JSONResponse(answer.document, answer.status, headers)

        return take

    def _cors(self, request: Request) -> dict[str, str]:
        origin = request.headers.get("origin")
        if origin is None or origin not in self._origins:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": "600",
        }


class _Pages:
    """GET and HEAD only show: link scanners fetch everything. POST does."""

    def __init__(
        self, runtime: Runtime, ingestion: Ingestion[Any], key_ring: KeyRing, view_message: ViewMessage | None
    ) -> None:
        self._runtime = runtime
        self._ingestion = ingestion
        self._key_ring = key_ring
        self._view_message = view_message

    async def show_unsubscribe(self, request: Request) -> Response:
        def page(_connection: Connection, workspace: Workspace, handle: Handle) -> Page:
            return unsubscribe_page(workspace, handle.topic, handle.channel, self._preferences(handle.handle))

        return await self._with_handle(request, TokenKind.UNSUBSCRIBE, page)

    async def unsubscribe(self, request: Request) -> Response:
        """RFC 8058: the field `List-Unsubscribe=One-Click`, in either encoding of forms, leaves the topic at once."""
        body = await _read(request, _MAX_FORM) or b""
        scope = Scope.EVERYTHING if _fields(body).get("scope") == [Scope.EVERYTHING.value] else Scope.TOPIC
        source = "one_click" if _ONE_CLICK in body else "unsubscribe_page"
        token = self._token(request, TokenKind.UNSUBSCRIBE)

        def page(_connection: Connection, workspace: Workspace, handle: Handle) -> Page:
            topic = handle.topic if scope is Scope.TOPIC else None
            return unsubscribed_page(workspace, topic, handle.channel, self._preferences(handle.handle))

        if token is not None:
            leaving = Unsubscribe(token.token_id, scope, source, self._runtime.clock.now())
            if (busy := await self._submit(leaving)) is not None:
                return busy
        return await self._with_handle(request, TokenKind.UNSUBSCRIBE, page)

    async def show_preferences(self, request: Request) -> Response:
        return await self._with_handle(request, TokenKind.PREFERENCES, self._preference_page(is_saved=False))

    async def save_preferences(self, request: Request) -> Response:
        fields = _fields(await _read(request, _MAX_FORM) or b"")
        chosen = frozenset(fields.get("topic", ()))
        # A box that is not ticked is not sent: the form says beside it that it has one.
        leaves_opens = "unmeasured" in fields.get("opens", ()) if "asked" in fields.get("opens", ()) else None
        token = self._token(request, TokenKind.PREFERENCES)
        if token is not None:
            wanted = ChoosePreferences(token.token_id, chosen, self._runtime.clock.now(), leaves_opens)
            if (busy := await self._submit(wanted)) is not None:
                return busy
        return await self._with_handle(request, TokenKind.PREFERENCES, self._preference_page(is_saved=True))

    async def view(self, request: Request) -> Response:
        token = self._token(request, TokenKind.VIEW)
        html = None
        if token is not None and self._view_message is not None:
            html = await run_in_threadpool(self._view_message, token.token_id)
        if html is None:
            return await self._notice(404, "Not here any more", "This message cannot be shown in the browser any more.")
        headers = {
            "Content-Security-Policy": _VIEW_POLICY,
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
        }
        return HTMLResponse(html, headers=headers)

    def _preference_page(self, *, is_saved: bool) -> Callable[[Connection, Workspace, Handle], Page]:
        def page(connection: Connection, workspace: Workspace, handle: Handle) -> Page:
            now = self._runtime.clock.now()
            leaves_opens = has_left_opens(connection, handle, now) if asks_about_opens(workspace, handle) else None
            return preference_page(
                workspace,
                list_choices(connection, workspace, handle, now),
                handle.channel,
                leaves_opens=leaves_opens,
                is_saved=is_saved,
            )

        return page

    def _token(self, request: Request, kind: TokenKind) -> Token | None:
        return verify(self._key_ring, kind, request.path_params["token"])

    def _preferences(self, handle: int) -> str:
        return f"/p/{sign(self._key_ring, Token(TokenKind.PREFERENCES, handle))}"

    async def _submit(self, record: Unsubscribe | ChoosePreferences) -> Response | None:
        """None when it is durable, else the answer that asks to try again: leaving must never be lost in silence."""
        try:
            await self._ingestion.submit(record)
        except (TransientError, PermanentError):
            text = "Nothing could be saved at the moment. Please try again in a minute."
            return HTMLResponse(text, 503, {"Retry-After": _RETRY_AFTER_S})
        return None

    async def _with_handle(
        self, request: Request, kind: TokenKind, page: Callable[[Connection, Workspace, Handle], Page]
    ) -> Response:
        token = self._token(request, kind)

        def render() -> Page | None:
            with self._runtime.database.read() as connection:
                handle = find_handle(connection, token.token_id) if token else None
                return page(connection, get_workspace(connection), handle) if handle else None

        rendered = await run_in_threadpool(render)
        if rendered is None:
            return await self._notice(404, "This link is not valid", "Please use the link in a newer message.")
        return HTMLResponse(rendered.html, headers=dict(rendered.headers))

    async def _notice(self, status: int, title: str, text: str) -> Response:
        def render() -> Page:
            with self._runtime.database.read() as connection:
                return notice_page(get_workspace(connection), title, text)

        rendered = await run_in_threadpool(render)
        return HTMLResponse(rendered.html, status, dict(rendered.headers))


def _fields(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode("utf-8", "replace"))


async def _read(request: Request, limit: int) -> bytes | None:
    """The body, None when it is longer than `limit`: then no more of it is read."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)
