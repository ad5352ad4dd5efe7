"""The web's entrances for events: Segment's addresses, which RudderStack and Jitsu share, and PostHog's.

What these clients ask for beside it (settings, flags) is answered emptily, so that they run. Browsers are answered by
the list of allowed origins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.runtime import Runtime
from tracking.client_address import ClientAddress, network_of
from tracking.events.client_settings import (
    POSTHOG_EVENTS,
    posthog_config,
    posthog_flags,
    posthog_script,
    rudderstack_source,
    segment_settings,
)
from tracking.events.collector import Answer, Arrived, Collector
from tracking.events.event_spec import CallKind
from tracking.events.packing import MAX_BODY
from tracking.events.request import Dialect, Door
from tracking.events.secret_keys import SecretKeys
from tracking.ingestion.group_commit import Ingestion
from tracking.request_body import read_body

_ALLOWED_HEADERS: Final = "authorization, content-type, anonymousid, sentat, x-write-key"
_KEYS_IN_ADDRESS: Final = ("writeKey", "write_key", "api_key", "token")
_SHORT: Final = {
    "b": None,
    "batch": None,
    "import": None,
    "i": CallKind.IDENTIFY,
    "t": CallKind.TRACK,
    "p": CallKind.PAGE,
    "s": CallKind.SCREEN,
    "g": CallKind.GROUP,
    "a": CallKind.ALIAS,
} | {kind.value: kind for kind in CallKind}

_Handle = Callable[[Request], Awaitable[Response]]


class _CallName(Convertor[str]):
    """What a client calls a call, in full or by its first letter."""

    regex = "|".join(sorted(_SHORT, key=len, reverse=True))

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _ProjectKey(Convertor[str]):
    """A key as it stands in an address; nothing in it could end a script."""

    regex = "[A-Za-z0-9_-]{1,100}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("call", _CallName())
register_url_convertor("project_key", _ProjectKey())


def routes(runtime: Runtime, ingestion: Ingestion[Any]) -> list[BaseRoute]:
    """Where clients of the event spec post to, and what they ask for first."""
    events, settings = _Events(runtime, ingestion), _ClientSettings(runtime)
    posts, asks = ["POST", "OPTIONS"], ["GET", "OPTIONS"]
    return [
        Route("/v1/batch", events.taker(Door()), methods=posts),
        *(Route(f"/v1/{kind}", events.taker(Door(kind=kind)), methods=posts) for kind in CallKind),
        *(
            Route(path, events.take_named, methods=posts)
            for path in ("/v1/{call:call}", "/api/s/{call:call}", "/api/s/s2s/{call:call}")
        ),
        Route("/beacon/v1/batch", events.taker(Door()), methods=posts),
        *(
            Route(path, events.taker(Door(Dialect.POSTHOG)), methods=posts)
            for path in ("/batch/", "/e/", POSTHOG_EVENTS, "/capture/")
        ),
        Route("/sourceConfig/", _open_to(runtime, settings.tell_rudderstack), methods=asks),
        Route("/v1/projects/{key:project_key}/settings", _open_to(runtime, settings.tell_segment), methods=asks),
        Route("/array/{key:project_key}/config", _open_to(runtime, settings.tell_posthog), methods=asks),
        Route("/array/{key:project_key}/config.js", _open_to(runtime, settings.tell_posthog_script), methods=asks),
        *(
            Route(path, _open_to(runtime, settings.tell_flags), methods=["GET", "POST", "OPTIONS"])
            for path in ("/flags/", "/decide/")
        ),
    ]


class _Events:
    def __init__(self, runtime: Runtime, ingestion: Ingestion[Any]) -> None:
        self._collector = Collector(runtime, ingestion)
        self._origins = runtime.settings.allowed_origins
        self._address = ClientAddress(runtime.settings.trusted_proxies)

    def taker(self, door: Door) -> _Handle:
        async def take(request: Request) -> Response:
            return await self._take(request, door)

        return take

    async def take_named(self, request: Request) -> Response:
        return await self._take(request, Door(kind=_SHORT[request.path_params["call"]]))

    async def _take(self, request: Request, door: Door) -> Response:
        headers = _cors(request, self._origins)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        body = await read_body(request, MAX_BODY)
        if body is None:
            answer = Answer(413, {"error": f"a request has at most {MAX_BODY:,} bytes: send smaller batches."})
        else:
            parameters = request.query_params
            keys = [parameters[name] for name in _KEYS_IN_ADDRESS if name in parameters] if parameters else []
            network = network_of(self._address.of(request.scope))
            answer = await self._collector.take(door, Arrived(request.headers, body, keys, network))
        if answer.retry_after_s is not None:
            headers["Retry-After"] = str(answer.retry_after_s)
        if answer.set_cookie is not None and "Access-Control-Allow-Origin" in headers:
            headers["Set-Cookie"] = answer.set_cookie
        return JSONResponse(answer.document, answer.status, headers)


class _ClientSettings:
    """What is told to anybody tells nothing, but for the name of a key to whoever holds it."""

    def __init__(self, runtime: Runtime) -> None:
        self._public_url = runtime.settings.public_url
        self._keys = SecretKeys(runtime)

    async def tell_rudderstack(self, request: Request) -> Response:
        found = await self._keys.find(request.headers, request.query_params.getlist("writeKey"))
        if found is None:
            return JSONResponse({"error": "the write key is missing or unknown."}, 401)
        return JSONResponse(rudderstack_source(found.name, self._public_url))

    async def tell_segment(self, request: Request) -> Response:
        return JSONResponse(segment_settings(request.path_params["key"], self._public_url))

    async def tell_posthog(self, request: Request) -> Response:
        return JSONResponse(posthog_config(request.path_params["key"]))

    async def tell_posthog_script(self, request: Request) -> Response:
        return Response(posthog_script(request.path_params["key"]), media_type="text/javascript")

    async def tell_flags(self, request: Request) -> Response:
        await read_body(request, MAX_BODY)
        return JSONResponse(posthog_flags(request.query_params.get("token", "")))


def _open_to(runtime: Runtime, handle: _Handle) -> _Handle:
    """`handle` with the answers to preflights and the headers by which a page may read it."""
    origins = runtime.settings.allowed_origins

    async def answer(request: Request) -> Response:
        headers = {**_cors(request, origins), "Cache-Control": "no-cache"}
        response = Response(status_code=204) if request.method == "OPTIONS" else await handle(request)
        response.headers.update(headers)
        return response

    return answer


def _cors(request: Request, origins: frozenset[str]) -> dict[str, str]:
    origin = request.headers.get("origin")
    if origin is None or origin not in origins:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",  # for the visitor cookie; some clients ask with them anyway
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
    }
