"""The web's entrance for offers: `GET /r/v1/recommendations` and `GET /r/v1/items/{sku}/related`, as JSON.

An answer that depends on no person may be kept by every cache on the way and carries an ETag; one that names a visitor
is kept by none. What is missing (a rule set, a visitor, a product) makes an answer plainer and never fails it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.definitions import find_definition
from core.errors import ConfigError, InputError
from core.ids import content_hash
from core.runtime import Runtime
from customers.profiles import find_profile
from customers.tables import product
from recommender.decisions import find_decisions, record_decisions
from recommender.offer_definition import KIND, Offer, get_offer
from recommender.offers import OfferDecision, decide_offers, propose_to_nobody, show_decision

log = logging.getLogger(__name__)

PLACEMENTS = ("cart", "category", "checkout", "home", "product", "search", "thanks")

_SURFACE = "widget"
_DEFAULT_LIMIT = 6
_MAX_LIMIT = 24
_MAX_ITEMS = 20
_MAX_TEXT = 100
_KEPT_SECONDS = 300
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,49}", re.ASCII)
_PERSONAL = {"Cache-Control": "private, no-store"}
_CACHEABLE = {"Cache-Control": f"public, max-age={_KEPT_SECONDS}"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a request, checked."""

    placement: str
    skus: tuple[str, ...]
    visitor: str | None
    limit: int


def routes(runtime: Runtime) -> list[BaseRoute]:
    """The routes of the recommender. Their handlers are plain functions, so that each runs on a thread of its own."""

    def recommendations(request: Request) -> Response:
        return _answer(runtime, request, ())

    def related(request: Request) -> Response:
        sku = request.path_params["sku"]
        with runtime.database.read() as connection:
            known = connection.execute(select(product.c.sku).where(product.c.sku == sku.replace("\0", ""))).first()
        if known is None:
            return JSONResponse(
                {"error": f"there is no product {sku[:_MAX_TEXT]!r}."}, status_code=404, headers=_PERSONAL
            )
        return _answer(runtime, request, (sku,))

    return [
        Route("/r/v1/recommendations", recommendations, methods=["GET"]),
        Route("/r/v1/items/{sku:path}/related", related, methods=["GET"]),
    ]


def _answer(runtime: Runtime, request: Request, skus: tuple[str, ...]) -> Response:
    try:
        asked = _asked(request.query_params, skus)
        with runtime.database.read() as connection:
            offer = _offer(connection, asked)
            person = find_profile(connection, runtime.vault, "visitor", asked.visitor) if asked.visitor else None
    except InputError as error:
        return JSONResponse({"error": str(error)}, status_code=400, headers=_PERSONAL)
    decision = _for_somebody(runtime, offer, asked, person) if person else _for_nobody(runtime, offer, asked)
    body = msgspec.json.encode(_document(asked, decision))
    if asked.visitor:
        return Response(body, media_type="application/json", headers=_PERSONAL)
    tag = f'"{content_hash(body)[:32]}"'
    headers = _CACHEABLE | {"ETag": tag}
    if _is_known(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _asked(parameters: Any, skus: tuple[str, ...]) -> Asked:
    placement = parameters.get("placement", "product" if skus else "home")
    if not _SLUG.fullmatch(placement):
        raise InputError("`placement` is a name of small letters, digits and underscores, such as product.")
    listed = [*skus, parameters.get("item", ""), *parameters.get("items", "").split(",")]
    given = tuple(dict.fromkeys(sku.strip() for sku in listed if sku.strip()))
    if len(given) > _MAX_ITEMS or any(len(sku) > _MAX_TEXT or "\0" in sku for sku in given):
        raise InputError(f"`items` takes up to {_MAX_ITEMS} skus of up to {_MAX_TEXT} characters, with commas between.")
    visitor = parameters.get("visitor") or None
    if visitor is not None and (len(visitor) > _MAX_TEXT or "\0" in visitor):
        raise InputError(f"`visitor` has up to {_MAX_TEXT} characters.")
    return Asked(placement, given, visitor, _limit(parameters.get("limit")))


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 3 and 1 <= int(text) <= _MAX_LIMIT):
        raise InputError(f"`limit` is a whole number from 1 to {_MAX_LIMIT}.")
    return int(text)


def _offer(connection: Connection, asked: Asked) -> Offer:
    """The published offer named like the placement, or a plain one where none is."""
    if find_definition(connection, KIND, asked.placement) is not None:
        try:
            offer = get_offer(connection, asked.placement)
        except ConfigError as error:
            log.warning("the offer of a placement cannot be used: %s", error)
            offer = Offer(asked.placement, is_live=False)
    elif asked.placement in PLACEMENTS:
        offer = Offer(asked.placement)
    else:
        known = ", ".join(PLACEMENTS)
        raise InputError(f"there is no placement {asked.placement!r}: publish an offer of that name, or use {known}.")
    return replace(offer, recommend=replace(offer.recommend, count=asked.limit))


def _for_somebody(runtime: Runtime, offer: Offer, asked: Asked, profile_id: int) -> OfferDecision:
    """Decided anew each hour, so that reloading a page changes nothing and coming back tomorrow does."""
    now = runtime.clock.now()
    key = "|".join(("widget", str(asked.limit), f"{now:%Y-%m-%dT%H}", *asked.skus))
    with runtime.database.transaction() as connection:
        decided = decide_offers(
            connection,
            offer,
            [profile_id],
            surface=_SURFACE,
            key=key,
            now=now,
            entry_skus={profile_id: asked.skus},
            vault=runtime.vault,
        )
    return decided[profile_id]


def _for_nobody(runtime: Runtime, offer: Offer, asked: Asked) -> OfferDecision:
    """Read first and write only what is new: most answers have been given before, and readers do not queue."""
    now = runtime.clock.now()
    with runtime.database.read() as connection:
        proposed = propose_to_nobody(connection, offer, asked.skus, surface=_SURFACE, now=now)
        answer = show_decision(connection, proposed)
        is_new = bool(proposed.items) and not find_decisions(connection, [proposed.id])
    if is_new:
        with runtime.database.transaction() as connection:
            record_decisions(connection, [proposed])
    return answer


def _document(asked: Asked, decision: OfferDecision) -> dict[str, Any]:
    return {
        "decision_id": decision.id if decision.items else None,
        "placement": asked.placement,
        "fallback_level": decision.fallback_level,
        "items": decision.items,
    }


def _is_known(header: str, tag: str) -> bool:
    """Whether an If-None-Match names our tag (RFC 9110, 13.1.2: weak comparison)."""
    given: Sequence[str] = [one.strip().removeprefix("W/") for one in header.split(",")]
    return tag in given or "*" in given
