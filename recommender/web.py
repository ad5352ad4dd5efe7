"""The web's entrance for offers: `/r/v1/recommendations`, `/r/v1/items/{sku}/related`, and `/r/v1/impressions`.

An answer that depends on no person may be kept by every cache on the way and carries an ETag; one that names a visitor
is kept by none. What is missing (a rule set, a visitor, a product, the database) makes an answer plainer and never
fails it. The handlers speak ASGI themselves, because a shop's every page asks them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from core.errors import InputError, PermanentError, TransientError
from core.runtime import Runtime
from recommender.impressions import ImpressionKind, NewImpression
from recommender.serving.answers import PERSONAL, Answer, no_offer, refusal, told
from recommender.serving.asked import read_query, read_seen
from recommender.serving.server import OfferServer
from tracking.client_address import ClientAddress, network_of
from tracking.events.rate_limit import Buckets
from tracking.request_body import read_body

log = logging.getLogger(__name__)

PATHS: Final = ("/r/v1/recommendations", "/r/v1/items/{sku:path}/related")

_MAX_REPORT: Final = 10_000
_BUSY: Final = ((b"retry-after", b"5"),)
_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"content-type, if-none-match"),
    (b"access-control-max-age", b"86400"),
)

Headers = dict[bytes, bytes]
_Handle = Callable[[Scope, Headers, Receive], Awaitable[Answer]]


def routes(runtime: Runtime, server: OfferServer | None = None) -> list[BaseRoute]:
    """The routes of the recommender; who gives a `server` starts and closes it."""
    offers = _Offers(runtime, server or OfferServer(runtime))
    asks, posts = ("GET", "HEAD"), ("POST",)
    handles: list[tuple[str, _Handle, Sequence[str]]] = [
        (PATHS[0], offers.recommend, asks),
        (PATHS[1], offers.relate, asks),
        ("/r/v1/impressions", offers.take_report, posts),
    ]
    origins = frozenset(origin.encode() for origin in runtime.settings.allowed_origins)
    return [
        Route(path, _Endpoint(handle, methods, origins), methods=[*methods, "OPTIONS"])
        for path, handle, methods in handles
    ]


class _Endpoint:
    """One address: methods, origins, and the bytes of an answer."""

    def __init__(self, handle: _Handle, methods: Sequence[str], origins: frozenset[bytes]) -> None:
        self._handle = handle
        self._methods = methods
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = dict(scope["headers"])
        method = scope["method"]
        if method in self._methods:
            answer = await self._handle(scope, headers, receive)
        elif method == "OPTIONS":
            answer = Answer(204, b"", _PREFLIGHT)
        else:
            answer = refusal(405, "this address is asked by GET; what browsers report is sent by POST.")
        start = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*answer.headers, *self._sharing(headers, answer)],
        }
        await send(start)
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})

    def _sharing(self, headers: Headers, answer: Answer) -> Sequence[tuple[bytes, bytes]]:
        """Every page may read what is about nobody; what may be about somebody, the shop's own."""
        if answer.is_public:
            return _FOR_ALL
        origin = headers.get(b"origin")
        if origin is None or origin not in self._origins:
            return _BY_ORIGIN
        return (*_BY_ORIGIN, (b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true"))


_FOR_ALL: Final = ((b"access-control-allow-origin", b"*"),)
_BY_ORIGIN: Final = ((b"vary", b"Origin"),)


class _Offers:
    def __init__(self, runtime: Runtime, server: OfferServer) -> None:
        self._clock = runtime.clock
        self._address = ClientAddress(runtime.settings.trusted_proxies)
        self._networks = Buckets(runtime.settings.events_per_network_number)
        self._server = server

    async def recommend(self, scope: Scope, headers: Headers, _receive: Receive) -> Answer:
        return await self._answer(scope, headers)

    async def relate(self, scope: Scope, headers: Headers, _receive: Receive) -> Answer:
        return await self._answer(scope, headers, page_of=scope["path_params"]["sku"])

    async def take_report(self, scope: Scope, _headers: Headers, receive: Receive) -> Answer:
        wait_s = self._networks.take(network_of(self._address.of(scope)), 1, time.monotonic())
        if wait_s:
            return refusal(
                429, f"too many reports: send them again in {wait_s} s.", ((b"retry-after", b"%d" % wait_s),)
            )
        body = await read_body(Request(scope, receive), _MAX_REPORT)
        if body is None:
            return refusal(413, f"a report has at most {_MAX_REPORT:,} bytes.")
        try:
            seen, now = read_seen(body), self._clock.now()
            told_of = [(ImpressionKind.SHOWN, sku) for sku in seen.shown]
            told_of += [(ImpressionKind.CLICKED, sku) for sku in seen.clicked]
            await self._server.ledger.record(
                [NewImpression(seen.decision_id, kind, sku, now, seen.view) for kind, sku in told_of]
            )
        except (InputError, PermanentError) as error:
            return refusal(400, str(error))
        except TransientError as error:
            return refusal(503, str(error), _BUSY)
        return Answer(204, b"", PERSONAL)

    async def _answer(self, scope: Scope, headers: Headers, page_of: str | None = None) -> Answer:
        placement = ""
        try:
            if page_of is not None and not await self._server.knows(page_of):
                return refusal(404, f"there is no product {page_of[:100]!r}.")
            asked = read_query(scope["query_string"], page_of)
            placement = asked.placement
            return await self._server.answer(asked, headers)
        except InputError as error:
            return refusal(400, str(error))
        except Exception as error:  # noqa: BLE001 - a page of the shop must not break because offers do
            log.warning("no offer could be made: %s", type(error).__name__)
            return told(503, no_offer(placement), PERSONAL + _BUSY)
