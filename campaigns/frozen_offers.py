"""Offers that a journey chose some time ago, as they stand when a message is composed.

What can no longer be had makes room for the next of the ranking that was frozen then; where nothing of it is left, the
fallback's ranking takes its place. Names, prices and stock are those of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.errors import ConfigError, NotFoundError
from recommender.catalogue import Catalogue
from recommender.eligibility import is_outside
from recommender.offer_definition import Offer, get_offer

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A message's context with what is still on offer, and the steps of whose offer nothing is left."""

    context: Context
    empty: frozenset[str] = frozenset()


def refresh_offers(connection: Connection, contexts: Sequence[Context], now: datetime) -> list[Refreshed]:
    """Each of `contexts` with the frozen rankings of its `steps` reduced to what can be had at `now`."""
    shelf = _Shelf(connection, now)
    shelf.load(ranking for context in contexts for _, result in _results(context) for ranking in _rankings(result))
    return [_refresh(shelf, context) for context in contexts]


def _results(context: Context) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step, result in (context.get("steps") or {}).items():
        if isinstance(result, Mapping) and "ranking" in result:
            yield step, result


def _rankings(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield result
    if result.get("fallback"):
        yield result["fallback"]


def _refresh(shelf: _Shelf, context: Context) -> Refreshed:
    before = dict(_results(context))
    if not before:
        return Refreshed(context)
    steps = {step: _now(shelf, result) for step, result in before.items()}
    values = {name: _value_now(value, before, steps) for name, value in (context.get("vars") or {}).items()}
    empty = frozenset(step for step, result in steps.items() if not result["items"])
    return Refreshed({**context, "steps": {**context["steps"], **steps}, "vars": values}, empty)


def _now(shelf: _Shelf, result: Mapping[str, Any]) -> dict[str, Any]:
    """What templates read of one step; the rest of the rankings is not for them."""
    for ranking in _rankings(result):
        items = shelf.available(ranking["ranking"])[: ranking["count"]]
        if items:
            return {"items": items, "offer": ranking["offer"], "decision_id": ranking["decision_id"]}
    return {"items": [], "offer": result["offer"], "decision_id": result["decision_id"]}


def _value_now(value: Any, before: Mapping[str, Mapping[str, Any]], steps: Mapping[str, Mapping[str, Any]]) -> Any:
    """A value that `with` took from a step's items follows them."""
    if not isinstance(value, list) or not value:
        return value
    return next((steps[step]["items"] for step, result in before.items() if value == result["items"]), value)


class _Shelf:
    """What can be had now, each offer and product looked up once a batch."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._catalogues: dict[str, Catalogue | None] = {}

    def load(self, rankings: Iterator[Mapping[str, Any]]) -> None:
        wanted: dict[str, set[str]] = {}
        for ranking in rankings:
            for item in ranking["ranking"]:
                wanted.setdefault(item["offer"], set()).add(item["sku"])
        for slug, skus in wanted.items():
            offer = self._find(slug)
            is_gone = offer is None or is_outside(offer, self._now) is not None
            catalogue = (
                None if is_gone else Catalogue(self._connection, offer.recommend.where if offer else None, self._now)
            )
            if catalogue is not None:
                catalogue.load(skus)
            self._catalogues[slug] = catalogue

    def available(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        kept = []
        for item in items:
            catalogue = self._catalogues[item["offer"]]
            product = catalogue.find(item["sku"]) if catalogue is not None else None
            if product is None or not product.is_for_sale:
                continue
            fresh = {name: getattr(product, name) for name in ("name", "price", "currency", "url", "image_url")}
            kept.append({**item, **fresh})
        return kept

    def _find(self, slug: str) -> Offer | None:
        try:
            return get_offer(self._connection, slug)
        except (NotFoundError, ConfigError):
            return None
