"""Answers as they go over the wire, made once and given to many. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from core.ids import content_hash
from recommender.catalogue import Product
from recommender.decisions import StoredDecision
from recommender.offer_definition import Offer
from recommender.offers import OfferItem, code_for_all

KEPT_SECONDS: Final = 300

Fields = tuple[tuple[bytes, bytes], ...]

_JSON: Final = (b"content-type", b"application/json")
PERSONAL: Final[Fields] = ((b"cache-control", b"private, no-store"),)
_CACHEABLE: Final[Fields] = ((b"cache-control", b"public, max-age=%d" % KEPT_SECONDS),)


class Answer(NamedTuple):
    """`headers` are those of ASGI. `is_public` is True where it is the same for everybody who asks."""

    status: int
    body: bytes
    headers: Fields
    is_public: bool = False
    tag: bytes = b""


def told(status: int, document: Any, headers: Fields = ()) -> Answer:
    """A document for one asker alone."""
    body = msgspec.json.encode(document)
    return Answer(status, body, (_JSON, (b"content-length", b"%d" % len(body)), *headers))


def refusal(status: int, error: str, headers: Fields = ()) -> Answer:
    return told(status, {"error": error}, PERSONAL + headers)


def document(placement: str, offer: Offer, decision: StoredDecision, items: Sequence[OfferItem]) -> dict[str, Any]:
    """What a page reads: the decision, how far down the chain it had to reach, the products as they are now, and the
    code that everybody gets.
    """
    found = code_for_all(offer, decision.decided_at) if items else None
    code = {"code": found[0], "code_ends_at": found[1]} if found else {}
    return {
        "decision_id": decision.id if items else None,
        "placement": placement,
        "fallback_level": decision.fallback_level,
        "items": items,
        **code,
    }


def no_offer(placement: str) -> dict[str, Any]:
    """What a page reads where nothing can be told: it shows nothing, and is whole."""
    return {"decision_id": None, "placement": placement, "fallback_level": "none", "items": []}


def shared(content: dict[str, Any]) -> Answer:
    """An answer that every cache on the way may keep, known by the hash of what it says."""
    body = msgspec.json.encode(content)
    tag = b'"%b"' % content_hash(body)[:32].encode()
    headers = (_JSON, (b"content-length", b"%d" % len(body)), *_CACHEABLE, (b"etag", tag))
    return Answer(200, body, headers, is_public=True, tag=tag)


def for_one(answer: Answer) -> Answer:
    """The same content, which no cache may keep: the same address has other answers for others, or tomorrow."""
    kept = tuple(field for field in answer.headers if field[0] not in (b"cache-control", b"etag"))
    return Answer(answer.status, answer.body, kept + PERSONAL)


def unless_known(answer: Answer, if_none_match: bytes) -> Answer:
    """The answer, or that it is as before (RFC 9110, 13.1.2: weak comparison)."""
    if not if_none_match:
        return answer
    given = [one.strip().removeprefix(b"W/") for one in if_none_match.split(b",")]
    if answer.tag not in given and b"*" not in given:
        return answer
    return Answer(304, b"", (*_CACHEABLE, (b"etag", answer.tag)), is_public=True)


def shown(decision: StoredDecision, products: Iterable[Product | None]) -> list[OfferItem]:
    """The items of a decision with what their products are called and cost; those that are gone are left out."""
    return [
        OfferItem(
            found.sku, found.name, found.price, found.currency, found.url, found.image_url, item.reason, item.score
        )
        for item, found in zip(decision.items, products, strict=True)
        if found is not None
    ]
