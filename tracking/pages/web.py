"""The pages behind the links of a message: leaving, choosing, and the message in the browser.

`/v/<token>` shows a message where whoever composes messages hands down `view_message`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import PermanentError, TransientError
from core.runtime import Runtime
from customers.consent import record_consents
from customers.pausing import pause, resume
from customers.single_use_links import LinkKind
from customers.workspace import get_workspace
from tracking.handles import find_handle
from tracking.ingestion.group_commit import Ingestion
from tracking.pages.answers import MAX_FORM, Fields, busy, fields_of, languages_of, notice, page_answer, read_fields
from tracking.pages.choosing import Visit, preference_page, unsubscribe_page, unsubscribed_page, visit_of
from tracking.pages.data_requests import request_link
from tracking.pages.layout import Page
from tracking.pages.unsubscribe import ChoosePreferences, Scope, Unsubscribe
from tracking.request_body import read_body
from tracking.tokens import KeyRing, Token, TokenKind, sign, verify

ViewMessage = Callable[[int], str | None]  # a message's token id to its HTML, None when it is shown no more

_ONE_CLICK: Final = b"List-Unsubscribe"
_SOURCE: Final = "preference_page"
_VIEW_POLICY: Final = (
    "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def routes(
    runtime: Runtime, ingestion: Ingestion[Any], key_ring: KeyRing, view_message: ViewMessage | None = None
) -> list[BaseRoute]:
    """What the links of messages lead to, but for their destinations."""
    pages = _Pages(runtime, ingestion, key_ring, view_message)
    return [
        Route("/u/{token}", pages.show_unsubscribe, methods=["GET"]),
        Route("/u/{token}", pages.unsubscribe, methods=["POST"]),
        Route("/p/{token}", pages.show_preferences, methods=["GET"]),
        Route("/p/{token}", pages.change_preferences, methods=["POST"]),
        Route("/v/{token}", pages.view, methods=["GET"]),
    ]


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
        def page(connection: Connection, visit: Visit) -> Page:
            return unsubscribe_page(connection, visit, self._preferences(visit.handle.handle))

        return await self._show(request, TokenKind.UNSUBSCRIBE, page)

    async def unsubscribe(self, request: Request) -> Response:
        """RFC 8058: the field `List-Unsubscribe=One-Click`, in either encoding of forms, leaves the topic at once."""
        body = await read_body(request, MAX_FORM) or b""
        scope = Scope.EVERYTHING if fields_of(body).get("scope") == [Scope.EVERYTHING.value] else Scope.TOPIC
        source = "one_click" if _ONE_CLICK in body else "unsubscribe_page"
        token = self._token(request, TokenKind.UNSUBSCRIBE)

        def page(_connection: Connection, visit: Visit) -> Page:
            topic = visit.handle.topic if scope is Scope.TOPIC else None
            return unsubscribed_page(visit, topic, self._preferences(visit.handle.handle))

        if token is not None:
            leaving = Unsubscribe(token.token_id, scope, source, self._runtime.clock.now())
            if not await self._submit(leaving):
                return await busy(self._runtime, request)
        return await self._show(request, TokenKind.UNSUBSCRIBE, page)

    async def show_preferences(self, request: Request) -> Response:
        return await self._show(request, TokenKind.PREFERENCES, self._preference_page)

    async def change_preferences(self, request: Request) -> Response:
        """What was pressed: save (also without a word), pause, resume, export or erase."""
        fields = await read_fields(request)
        match fields.get("do", ["save"]):
            case ["pause" | "resume" as word]:
                return await self._pause(request, starts=word == "pause")
            case ["export" | "erase" as word]:
                return await self._request_link(request, LinkKind(word))
        token = self._token(request, TokenKind.PREFERENCES)
        if token is not None and not await self._submit(_chosen(token, fields, self._runtime)):
            return await busy(self._runtime, request)

        def page(connection: Connection, visit: Visit) -> Page:
            return self._preference_page(connection, visit, visit.texts("preferences.saved"))

        return await self._show(request, TokenKind.PREFERENCES, page)

    async def view(self, request: Request) -> Response:
        token = self._token(request, TokenKind.VIEW)
        html = None
        if token is not None and self._view_message is not None:
            html = await run_in_threadpool(self._view_message, token.token_id)
        if html is None:
            return await notice(self._runtime, request, 404, "not_shown")
        headers = {
            "Content-Security-Policy": _VIEW_POLICY,
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
        }
        return HTMLResponse(html, headers=headers)

    async def _pause(self, request: Request, *, starts: bool) -> Response:
        def page(connection: Connection, visit: Visit) -> Page:
            handle, texts = visit.handle, visit.texts
            make = pause if starts else resume
            entry = make(handle.lookup, handle.channel, handle.profile_id, _SOURCE, visit.now)
            record_consents(connection, [entry], visit.now)
            until = texts.day(entry.expires_at) if entry.expires_at else ""
            said = texts("pause.started", date=until) if starts else texts("pause.ended")
            return self._preference_page(connection, visit, said)

        return await self._show(request, TokenKind.PREFERENCES, page, writes=True)

    async def _request_link(self, request: Request, kind: LinkKind) -> Response:
        """The same answer whether a link was sent or not: whoever holds a forwarded mail learns nothing."""

        def page(connection: Connection, visit: Visit) -> Page:
            workspace, texts, handle = visit.workspace, visit.texts, visit.handle
            if handle.profile_id is not None:
                request_link(connection, self._runtime, workspace, texts, handle.profile_id, kind)
            said = texts("rights.sent", brand=workspace.brand["name"])
            return self._preference_page(connection, visit, said)

        return await self._show(request, TokenKind.PREFERENCES, page, writes=True)

    def _preference_page(self, connection: Connection, visit: Visit, said: str | None = None) -> Page:
        return preference_page(connection, self._runtime.vault, visit, said)

    def _token(self, request: Request, kind: TokenKind) -> Token | None:
        return verify(self._key_ring, kind, request.path_params["token"])

    def _preferences(self, handle: int) -> str:
        return f"/p/{sign(self._key_ring, Token(TokenKind.PREFERENCES, handle))}"

    async def _submit(self, record: Unsubscribe | ChoosePreferences) -> bool:
        """Whether it is durable: leaving must never be lost in silence."""
        try:
            await self._ingestion.submit(record)
        except (TransientError, PermanentError):
            return False
        return True

    async def _show(
        self,
        request: Request,
        kind: TokenKind,
        page: Callable[[Connection, Visit], Page],
        *,
        writes: bool = False,
    ) -> Response:
        token = self._token(request, kind)
        database = self._runtime.database

        def render() -> Page | None:
            with database.transaction() if writes else database.read() as connection:
                handle = find_handle(connection, token.token_id) if token else None
                if handle is None:
                    return None
                workspace, now = get_workspace(connection), self._runtime.clock.now()
                return page(connection, visit_of(connection, workspace, handle, languages_of(request), now))

        try:
            rendered = await run_in_threadpool(render)
        except TransientError:
            return await busy(self._runtime, request)
        return page_answer(rendered) if rendered else await notice(self._runtime, request, 404, "invalid")


def _chosen(token: Token, fields: Fields, runtime: Runtime) -> ChoosePreferences:
    """A box that is not ticked is not sent: the form says beside it that it has one."""
    opens = fields.get("opens", [])
    asked = frozenset(fields.get("channel", ()))
    return ChoosePreferences(
        token.token_id,
        frozenset(fields.get("topic", ())),
        runtime.clock.now(),
        "unmeasured" in opens if "asked" in opens else None,
        asked,
        frozenset((channel, topic) for channel in asked for topic in fields.get(f"topic.{channel}", ())),
    )
