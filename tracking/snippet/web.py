"""`/postilion.js` and `/postilion.<hash>.js`: the script for a shop's pages; and `POST /v1/forget`, its way out."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.runtime import Runtime
from tracking.snippet.source import digest, packed, script
from tracking.visitor_cookie import FORGET

_HOUR: Final = "public, max-age=3600"
_FOREVER: Final = "public, max-age=31536000, immutable"


def routes(runtime: Runtime) -> list[BaseRoute]:
    origins = runtime.settings.allowed_origins

    async def show(request: Request) -> Response:
        named = request.path_params.get("digest")
        if named is not None and named != digest():
            return Response("There is no such script.\n", 404, media_type="text/plain")
        etag = f'"{digest()}"'
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
        body = script()
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = packed()
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers, media_type="text/javascript")

    async def forget(request: Request) -> Response:
        origin = request.headers.get("origin")
        headers = {"Vary": "Origin", "Set-Cookie": FORGET, "Cache-Control": "no-store"}
        if origin is not None and origin in origins:
            headers |= {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
        elif origin is not None:
            return Response(status_code=403)
        return Response(status_code=204, headers=headers)

    return [
        Route("/postilion.js", show, methods=["GET"]),
        Route("/postilion.{digest}.js", show, methods=["GET"]),
        Route("/v1/forget", forget, methods=["POST"]),
    ]
