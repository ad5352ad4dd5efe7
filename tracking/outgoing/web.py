"""`GET /v1/events`: the customer log for systems that follow it, a page at a time, with a read key.

A client keeps `cursor` and asks with it as `after`; with `wait` the answer comes as soon as there is something, so that
following costs one request in twenty seconds while nothing happens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.cursors import Position, latest_position
from core.errors import ConflictError, InputError, PostilionError
from core.runtime import Runtime
from customers.tables import customer_event
from tracking.events.secret_keys import offered_keys
from tracking.events.write_keys import WriteKey, WriteKeyKind, find_read_key
from tracking.outgoing.documents import SCHEMA, Wanted
from tracking.outgoing.following import Page, read_cursor, read_page, write_cursor

MAX_WAIT_S: Final = 20
MAX_LIMIT: Final = 1_000
_LIMIT: Final = 100
_END: Final = "end"
_LOOK_EVERY_S: Final = 0.5
_MOST_WAITING: Final = 100  # who comes when so many wait is answered at once


@dataclass(frozen=True, slots=True)
class _Asked:
    after: str
    limit: int
    wait_s: int
    wanted: Wanted


def routes(runtime: Runtime) -> list[BaseRoute]:
    return [Route("/v1/events", _Events(runtime).show, methods=["GET"])]


class _Events:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting = 0

    async def show(self, request: Request) -> Response:
        try:
            key = await run_in_threadpool(self._find_key, request.headers)
            if key is None:
                return _json({"error": "a read key is needed: `postilion read-key NAME` makes one."}, 401)
            asked = _read(request, key)
            position = await run_in_threadpool(self._position, asked.after)
            page, cursor = await self._follow(request, position, asked)
        except InputError as error:
            return _json({"error": str(error)}, 400)
        except ConflictError as error:
            return _json({"error": str(error)}, 410)
        except PostilionError as error:
            return _json({"error": str(error)}, 503)
        return _json({"schema": SCHEMA, "events": page.events, "cursor": cursor, "has_more": page.has_more})

    async def _follow(self, request: Request, position: Position, asked: _Asked) -> tuple[Page, str]:
        until = time.monotonic() + (asked.wait_s if self._waiting < _MOST_WAITING else 0)
        self._waiting += 1
        try:
            while True:
                page, cursor = await run_in_threadpool(self._page, position, asked)
                left = until - time.monotonic()
                if page.events or left <= 0 or await request.is_disconnected():
                    return page, cursor
                position = page.cursor
                await asyncio.sleep(min(_LOOK_EVERY_S, left))
        finally:
            self._waiting -= 1

    def _find_key(self, headers: Mapping[str, str]) -> WriteKey | None:
        with self._runtime.database.read() as connection:
            now, vault = self._runtime.clock.now(), self._runtime.vault
            offered = (find_read_key(connection, vault, key, now) for key in offered_keys(headers))
            return next((key for key in offered if key is not None), None)

    def _position(self, after: str) -> Position:
        if not after:
            return Position()
        with self._runtime.database.read() as connection:
            if after == _END:
                return latest_position(connection, customer_event)
            return read_cursor(connection, after)

    def _page(self, position: Position, asked: _Asked) -> tuple[Page, str]:
        with self._runtime.database.read() as connection:
            page = read_page(connection, self._runtime.vault, position, asked.limit, asked.wanted)
            return page, write_cursor(connection, page.cursor)


def _read(request: Request, key: WriteKey) -> _Asked:
    query = request.query_params
    names = frozenset(name for text in query.getlist("name") for name in text.split(",") if name)
    return _Asked(
        query.get("after", ""),
        _number(query.get("limit"), "limit", _LIMIT, 1, MAX_LIMIT),
        _number(query.get("wait"), "wait", 0, 0, MAX_WAIT_S),
        Wanted(names or None, key.kind is WriteKeyKind.READ_PERSONAL),
    )


def _number(text: str | None, name: str, default: int, least: int, most: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise InputError(f"`{name}` is a number from {least} to {most:,}.")
    return int(text)


def _json(document: Any, status: int = 200) -> Response:
    content = msgspec.json.encode(document, enc_hook=str)
    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(content, status, {"Cache-Control": "no-store, private", **extra}, "application/json")
