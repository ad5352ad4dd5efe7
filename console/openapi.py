"""`GET /openapi.json`: the description of the API under /v1, as `schema/openapi.yaml` has it."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from ruamel.yaml import YAML
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.schema_files import FOLDER

FILE = FOLDER / "openapi.yaml"


@cache
def load_openapi() -> dict[str, Any]:
    """The document (OpenAPI 3.1), as plain values."""
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(FILE.read_text(encoding="utf-8"))
    return document


def routes() -> list[BaseRoute]:
    def show(_request: Request) -> Response:
        return Response(_body(), media_type="application/json", headers={"Cache-Control": "public, max-age=300"})

    return [Route("/openapi.json", show, methods=["GET"])]


@cache
def _body() -> bytes:
    return msgspec.json.encode(load_openapi())
