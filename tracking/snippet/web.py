"""`/postilion.js` and `/postilion.<hash>.js`: the script for a shop's pages; and `POST /v1/forget`, its way out."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.runtime import Runtime
from tracking.snippet.script import Script
from tracking.snippet.source import snippet
from tracking.visitor_cookie import FORGET

_HOUR: Final = "public, max-age=3600"
_FOREVER: Final = "public, max-age=31536000, immutable"


def routes(runtime: Runtime) -> list[BaseRoute]:
    origins = runtime.settings.allowed_origins

    async def forget(request: Request) -> Response:
        origin = request.headers.get("origin")
        headers = {"Vary": "Origin", "Set-Cookie": FORGET, "Cache-Control": "no-store"}
        if origin is not None and origin in origins:
            headers |= {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
        elif origin is not None:
            return Response(status_code=403)
        return Response(status_code=204, headers=headers)

    return [*script_routes("postilion", snippet()), Route("/v1/forget", forget, methods=["POST"])]


def script_routes(name: str, script: Script) -> list[BaseRoute]:
    """`/<name>.js`, which is the present script, and `/<name>.<hash>.js`, which is this one for ever."""

    async def show(request: Request) -> Response:
        named = request.path_params.get("digest")
        if named is not None and named != script.digest:
            return Response("There is no such script.\n", 404, media_type="text/plain")
        etag = f'"{script.digest}"'
        # A script is no secret: every page may load it, and integrity is checked only on what CORS lets through.
        headers = {
            "ETag": etag,
            "Cache-Control": _FOREVER if named is not None else _HOUR,
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Encoding",
        }
        if etag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        body = script.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = script.packed
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers, media_type="text/javascript")

    return [
        Route(f"/{name}.js", show, methods=["GET"]),
        Route(f"/{name}.{{digest}}.js", show, methods=["GET"]),
    ]
