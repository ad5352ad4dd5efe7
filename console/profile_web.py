"""The web's entrances to one customer: a JSON API for the shop's own systems and a page for its people.

Both ask for a read key. An address never stands in a URL, because URLs end up in logs: it is posted.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.people import get_profile_id
from console.profile_pages import headers, notice_page, profile_page
from console.timeline.document import profile_document, timeline_document
from console.timeline.entries import Group, Place, parse_group, parse_place
from console.timeline.read import PAGE_ENTRIES, read_timeline
from console.timeline.summary import summarise
from core.errors import InputError, NotFoundError, PostilionError
from core.runtime import Runtime
from customers.profiles import find_profile
from customers.tables import IdentityKind, ProfileStatus
from customers.workspace import Workspace, get_workspace
from tracking.events.write_keys import find_read_key

_MOST_ENTRIES = 500
_MAX_BODY = 10_000
_REALM = 'Basic realm="Customers: leave the name empty, the password is a read key", charset="UTF-8"'
_LOOKUPS = (IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL, IdentityKind.PHONE)
_GONE = "The data of this customer was erased on request. Nothing is left but the sums of orders."


def routes(runtime: Runtime) -> list[BaseRoute]:
    """`/v1/profiles…` for systems and `/profiles…` for people."""
    api, pages = _Api(runtime), _Pages(runtime)
    return [
        Route("/v1/profiles/lookup", _guarded(runtime, api.look_up), methods=["POST"]),
        Route("/v1/profiles/{profile_id:int}", _guarded(runtime, api.show), methods=["GET"]),
        Route("/v1/profiles/{profile_id:int}/timeline", _guarded(runtime, api.show_timeline), methods=["GET"]),
        Route("/profiles", _guarded(runtime, pages.ask), methods=["GET"]),
        Route("/profiles", _guarded(runtime, pages.find), methods=["POST"]),
        Route("/profiles/{profile_id:int}", _guarded(runtime, pages.show), methods=["GET"]),
    ]


def _guarded(
    runtime: Runtime, handle: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Asks for a read key first, and tells faults as JSON sentences."""

    async def guarded(request: Request) -> Response:
        try:
            if not await run_in_threadpool(_may_read, runtime, request.headers.get("authorization", "")):
                return _json({"error": "a read key is needed: `postilion read-key NAME` makes one."}, 401)
            return await handle(request)
        except NotFoundError as error:
            return _json({"error": str(error)}, 404)
        except InputError as error:
            return _json({"error": str(error)}, 400)
        except PostilionError as error:
            return _json({"error": str(error)}, 503)

    return guarded


class _Api:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def show(self, request: Request) -> Response:
        return await run_in_threadpool(self._answer, request.path_params["profile_id"])

    async def look_up(self, request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await _body(request), type=dict[str, str])
        except msgspec.DecodeError:
            raise InputError('write a JSON object with one identifier, such as {"email": "…"}.') from None
        return await run_in_threadpool(self._answer_lookup, asked)

    async def show_timeline(self, request: Request) -> Response:
        after, group = _page_asked(request)
        limit = _limit(request.query_params.get("limit"))
        return await run_in_threadpool(self._answer_timeline, request.path_params["profile_id"], after, limit, group)

    def _answer_lookup(self, asked: dict[str, str]) -> Response:
        kinds = [kind for kind in _LOOKUPS if asked.get(kind)]
        if len(kinds) != 1 or len(asked) != 1:
            raise InputError("write exactly one of external_id, email and phone.")
        runtime = self._runtime
        with runtime.database.read() as connection:
            region = get_workspace(connection).country
            found = find_profile(connection, runtime.vault, kinds[0], asked[kinds[0]], region)
        if found is None:
            raise NotFoundError("nobody is known by that identifier: check its spelling.")
        return self._answer(found)

    def _answer(self, profile_id: int) -> Response:
        runtime = self._runtime
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
            summary = summarise(connection, runtime.vault, workspace, profile_id, runtime.clock.now())
            if summary.merged_into is not None:
                return _moved(f"/v1/profiles/{summary.merged_into}")
            page = read_timeline(connection, runtime.vault, profile_id)
        return _json({"profile": profile_document(summary), "timeline": timeline_document(page, workspace)})

    def _answer_timeline(self, profile_id: int, after: Place | None, limit: int, group: Group | None) -> Response:
        runtime = self._runtime
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
            page = read_timeline(connection, runtime.vault, profile_id, after=after, limit=limit, group=group)
        return _json(timeline_document(page, workspace))


class _Pages:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def ask(self, _request: Request) -> Response:
        return await run_in_threadpool(
            self._notice, "Who is it about?", "Find a customer by e-mail address, telephone number or customer number."
        )

    async def find(self, request: Request) -> Response:
        form = parse_qs((await _body(request)).decode("utf-8", "replace"))
        return await run_in_threadpool(self._find, form.get("who", [""])[0].strip())

    async def show(self, request: Request) -> Response:
        after, group = _page_asked(request)
        return await run_in_threadpool(self._show, request.path_params["profile_id"], after, group)

    def _find(self, who: str) -> Response:
        runtime = self._runtime
        with runtime.database.read() as connection:
            try:
                found = get_profile_id(connection, runtime.vault, get_workspace(connection), who)
            except PostilionError as error:
                text = str(error)
                return self._notice("Nobody was found", f"{text[:1].upper()}{text[1:]}", 404)
        return RedirectResponse(f"/profiles/{found}", 303, headers=dict(headers()))

    def _show(self, profile_id: int, after: Place | None, group: Group | None) -> Response:
        runtime = self._runtime
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
            try:
                summary = summarise(connection, runtime.vault, workspace, profile_id, runtime.clock.now())
            except NotFoundError:
                return self._notice("Nobody was found", f"There is no customer {profile_id}.", 404)
            if summary.merged_into is not None:
                return _moved(f"/profiles/{summary.merged_into}")
            if summary.status is ProfileStatus.ERASED:
                return self._notice("Erased", _GONE, 410)
            page = read_timeline(connection, runtime.vault, profile_id, after=after, group=group)
        html = profile_page(workspace, summary, page, group=group, is_later=after is not None)
        return HTMLResponse(html, headers=dict(headers()))

    def _notice(self, title: str, text: str, status: int = 200) -> Response:
        with self._runtime.database.read() as connection:
            workspace: Workspace = get_workspace(connection)
        return HTMLResponse(notice_page(workspace, title, text), status, headers=dict(headers()))


def _may_read(runtime: Runtime, authorization: str) -> bool:
    keys = _offered_keys(authorization)
    if not keys:
        return False
    with runtime.database.read() as connection:
        return any(find_read_key(connection, runtime.vault, key, runtime.clock.now()) is not None for key in keys)


def _offered_keys(authorization: str) -> list[str]:
    """A bearer token, or name and password of Basic authentication (RFC 7617): clients put keys into either."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return [rest.strip()]
    if scheme.lower() != "basic":
        return []
    try:
        name, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return []
    return [key for key in (password, name) if key]


def _page_asked(request: Request) -> tuple[Place | None, Group | None]:
    after, group = request.query_params.get("after"), request.query_params.get("group")
    return parse_place(after) if after else None, parse_group(group) if group else None


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE_ENTRIES
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_ENTRIES:
        raise InputError(f"`limit` is a number from 1 to {_MOST_ENTRIES}.")
    return int(text)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise InputError(f"a look-up has at most {_MAX_BODY:,} bytes.")
    return body


def _moved(path: str) -> Response:
    return RedirectResponse(path, 308, headers={"Cache-Control": "no-store"})


def _json(document: Any, status: int = 200) -> Response:
    content = msgspec.json.encode(document, enc_hook=str)
    extra = {"WWW-Authenticate": _REALM} if status == 401 else {}
    return Response(content, status, {"Cache-Control": "no-store, private", **extra}, "application/json")
