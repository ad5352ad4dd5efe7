"""What mail programs ask for, the pixel and the links, as bare ASGI: they are asked for by the million.

Both answer after the record is durable, or without it when storing takes too long: a reader must get where he wants to
go. A token that is not ours opens nothing and leads nowhere. HEAD is answered and does not count.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from core.clock import Clock
from core.errors import EnvironmentFaultError
from tracking.classify import Act, ActKind
from tracking.decoy import DECOY_LINK, PAGE
from tracking.destinations import Destination, Destinations
from tracking.engagement import Engagement
from tracking.ingestion.group_commit import Ingestion
from tracking.networks import NetworkOf, of_nobody
from tracking.open_counts import CountedOpen
from tracking.tokens import KeyRing, TokenKind, verify

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")  # one transparent dot
_PRIVATE: Final[Sequence[Header]] = (
    (b"cache-control", b"no-store, private"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
_GIF_HEADERS: Final[Sequence[Header]] = (
    (b"content-type", b"image/gif"),
    (b"content-length", str(len(GIF)).encode()),
    *_PRIVATE,
)
_GIF_START: Final = {"type": "http.response.start", "status": 200, "headers": _GIF_HEADERS}
_GIF_BODY: Final = {"type": "http.response.body", "body": GIF}
_NO_BODY: Final = {"type": "http.response.body", "body": b""}
_URL_SAFE: Final = ":/%#?=@[]!$&'()*+,;~"
_MAX_AGENT: Final = 300


class Pixel:
    """`GET /o/<token>.gif`: always the picture; an open is recorded, or only counted, where the token is ours."""

    def __init__(
        self, ingestion: Ingestion[Any], key_ring: KeyRing, clock: Clock, network_of: NetworkOf = of_nobody
    ) -> None:
        self._ingestion = ingestion
        self._key_ring = key_ring
        self._clock = clock
        self._network_of = network_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, ((b"allow", b"GET, HEAD"), *_PRIVATE))
            return
        record = self._record(scope) if scope["method"] == "GET" else None
        if record is not None:
            await self._ingestion.submit_or_spool(record)
        await send(_GIF_START)
        await send(_GIF_BODY if scope["method"] == "GET" else _NO_BODY)

    def _record(self, scope: Scope) -> Engagement | CountedOpen | None:
        text = scope["path_params"]["token"].removesuffix(".gif")
        act = Act(ActKind.OPENED, self._clock.now(), agent_of(scope), None, self._network_of(scope))
        if (token := verify(self._key_ring, TokenKind.OPEN, text)) is not None:
            return Engagement(token.token_id, act)
        token = verify(self._key_ring, TokenKind.COUNT, text)
        return CountedOpen(token.token_id, act) if token is not None else None


class Redirect:
    """`GET /c/<token>`: 302 to the link's destination, or a plain 404; never a redirect on a token that is not ours."""

    def __init__(
        self,
        ingestion: Ingestion[Any],
        key_ring: KeyRing,
        destinations: Destinations,
        clock: Clock,
        network_of: NetworkOf = of_nobody,
    ) -> None:
        self._ingestion = ingestion
        self._key_ring = key_ring
        self._destinations = destinations
        self._clock = clock
        self._network_of = network_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            return await _answer(send, 405, ((b"allow", b"GET, HEAD"), *_PRIVATE))
        token = verify(self._key_ring, TokenKind.CLICK, scope["path_params"]["token"])
        if token is None:
            return await _not_found(send, method)
        if token.link_no == DECOY_LINK:
            act = Act(ActKind.DECOYED, self._clock.now(), agent_of(scope), DECOY_LINK, self._network_of(scope))
            await self._ingestion.submit_or_spool(Engagement(token.token_id, act))
            return await _text(send, method, 200, PAGE)
        try:
            destination = await self._find(token.token_id, token.link_no)
        except (SQLAlchemyError, EnvironmentFaultError) as error:
            log.warning("a link could not be looked up: %s", type(error).__name__)
            return await _text(send, method, 503, b"Please try again in a moment.", ((b"retry-after", b"5"),))
        if destination is None:
            return await _not_found(send, method)
        kind = ActKind.CLICKED if method == "GET" else ActKind.PROBED
        act = Act(kind, self._clock.now(), agent_of(scope), token.link_no, self._network_of(scope))
        await self._ingestion.submit_or_spool(Engagement(token.token_id, act, destination.tag))
        location = quote(destination.url, safe=_URL_SAFE).encode()
        return await _answer(send, 302, ((b"location", location), (b"content-length", b"0"), *_PRIVATE))

    async def _find(self, token_id: int, link_no: int) -> Destination | None:
        known = self._destinations.remembered(token_id, link_no)
        return known or await asyncio.to_thread(self._destinations.find, token_id, link_no)


def agent_of(scope: Scope) -> str:
    """The client's `User-Agent`, without what no log and no database wants."""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            text: str = value[:_MAX_AGENT].decode("latin-1")
            return text if text.isprintable() else "".join(filter(str.isprintable, text))
    return ""


async def _not_found(send: Send, method: str) -> None:
    await _text(send, method, 404, b"This link is not valid any more.")


async def _text(send: Send, method: str, status: int, text: bytes, headers: Sequence[Header] = ()) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    length = (b"content-length", str(len(text)).encode())
    await _answer(send, status, (kind, length, *headers, *_PRIVATE), text if method == "GET" else b"")


async def _answer(send: Send, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
