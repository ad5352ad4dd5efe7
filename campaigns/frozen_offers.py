"""Offers that a journey chose some time ago, as they stand when a message is composed.

What can no longer be had makes room for the next of the ranking that was frozen then; where nothing of it is left, or
its code is good no more, the fallback's ranking takes its place. Names, prices and stock are those of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from campaigns.frozen_reading import Reading
from campaigns.message_context import code_context
from core.errors import ConfigError, NotFoundError
from core.vault import Vault
from recommender.catalogue import Catalogue
from recommender.codes.drawing import Draw, Drawn, draw_codes
from recommender.codes.returning import carry_codes, return_codes
from recommender.eligibility import is_outside
from recommender.offer_definition import Offer, get_offer

Context = Mapping[str, Any]
Ranking = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose codes a message takes along: those of the enrolment that caused it."""

    enrolment_uid: str
    profile_id: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """A message's context as it was frozen, and what its template reads of it; without an owner no code is drawn."""

    context: Context = field(repr=False)
    reading: Reading = field(default_factory=Reading)
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A message's context with what is still on offer, and the steps of whose offer nothing is left."""

    context: Context = field(repr=False)
    empty: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Choice:
    """One step of one message: the rankings of which something is left, the best first, each with its products."""

    frozen: Frozen
    step: str
    result: Ranking
    options: list[tuple[Ranking, list[dict[str, Any]]]]
    needs_code: bool
    draw: Draw | None = None
    code: str | None = None
    code_ends_at: str | None = None

    @property
    def is_missed(self) -> bool:
        """Whether the template is nothing without the step, so that the message is not sent."""
        return self.frozen.reading.lacks([self.step], self.frozen.context)

    def shown(self) -> dict[str, Any]:
        """What templates read of the step; the rest of the rankings is not for them."""
        ranking, items = self.options[0] if self.options else (self.result, [])
        named = {"offer": ranking["offer"], "decision_id": ranking["decision_id"]}
        return {"items": items, **named, **code_context(self.code, self.code_ends_at)}


def refresh_offers(connection: Connection, vault: Vault, frozen: Sequence[Frozen], now: datetime) -> list[Refreshed]:
    """Each of `frozen` with the rankings of its `steps` reduced to what can be had at `now`.

    A code that a template reads is drawn where its person has none (any more) and noted as carried by the message;
    that of an offer of which nothing is left returns to its pool.
    """
    shelf = _Shelf(connection, now)
    results = [dict(_results(one.context)) for one in frozen]
    shelf.load(ranking for some in results for result in some.values() for ranking in _rankings(result))
    choices = [
        [_choice(shelf, one, step, result) for step, result in some.items()]
        for one, some in zip(frozen, results, strict=True)
    ]
    _find_codes(connection, vault, shelf, [choice for some in choices for choice in some], now)
    return [_refreshed(one, some) for one, some in zip(frozen, choices, strict=True)]


def _results(context: Context) -> Iterator[tuple[str, Ranking]]:
    for step, result in (context.get("steps") or {}).items():
        if isinstance(result, Mapping) and "ranking" in result:
            yield step, result


def _rankings(result: Ranking) -> Iterator[Ranking]:
    yield result
    if result.get("fallback"):
        yield result["fallback"]


def _choice(shelf: _Shelf, frozen: Frozen, step: str, result: Ranking) -> _Choice:
    rankings = list(_rankings(result))
    options = [(one, items) for one in rankings if (items := shelf.available(one["ranking"])[: one["count"]])]
    needs_code = frozen.reading.reads_code(step, [one["offer"] for one in rankings], result.get("code"), frozen.context)
    return _Choice(frozen, step, result, options, needs_code)


def _find_codes(connection: Connection, vault: Vault, shelf: _Shelf, choices: Sequence[_Choice], now: datetime) -> None:
    """Settle which ranking each choice shows, by whether its code can be had where the template reads one."""
    open_choices = [choice for choice in choices if choice.options]
    while open_choices:
        for choice in open_choices:
            choice.draw = _draw(shelf, choice)
        drawn = draw_codes(connection, vault, [choice.draw for choice in open_choices if choice.draw], now)
        open_choices = [choice for choice in open_choices if not _is_settled(shelf, choice, drawn, now)]
        for choice in open_choices:
            choice.options.pop(0)
        open_choices = [choice for choice in open_choices if choice.options]
    carried = {
        choice.draw.id: choice.frozen.owner.message_id
        for choice in choices
        if choice.options and choice.draw is not None and choice.frozen.owner is not None
    }
    carry_codes(connection, carried, now)
    return_codes(
        connection,
        [
            (ranking["offer"], choice.frozen.owner.enrolment_uid)
            for choice in choices
            if not choice.options and choice.frozen.owner is not None and choice.is_missed
            for ranking in _rankings(choice.result)
        ],
    )


def _draw(shelf: _Shelf, choice: _Choice) -> Draw | None:
    """What is to be drawn for the ranking that comes first, if so."""
    ranking, owner = choice.options[0][0], choice.frozen.owner
    offer = shelf.find(ranking["offer"])
    if not choice.needs_code or owner is None or offer is None or offer.pool is None:
        return None
    return Draw(offer.pool, offer.slug, owner.enrolment_uid, owner.profile_id)


def _is_settled(shelf: _Shelf, choice: _Choice, drawn: Mapping[str, Drawn], now: datetime) -> bool:
    """Whether the ranking that comes first can be shown; its code is noted then."""
    ranking = choice.options[0][0]
    code, ends_at = ranking.get("code"), ranking.get("code_ends_at")
    if choice.draw is not None:
        found, offer = drawn.get(choice.draw.id), shelf.find(choice.draw.offer)
        if found is None or offer is None:
            return False
        end = offer.code_ends_at(found.drawn_at)
        code, ends_at = found.code, end.isoformat() if end is not None else None
    if choice.needs_code and ends_at is not None and datetime.fromisoformat(ends_at) <= now:
        return False
    choice.code, choice.code_ends_at = code, ends_at
    return True


def _refreshed(frozen: Frozen, choices: Sequence[_Choice]) -> Refreshed:
    context = frozen.context
    if not choices:
        return Refreshed(context)
    steps = {choice.step: choice.shown() for choice in choices}
    values = {name: _value_now(value, choices) for name, value in (context.get("vars") or {}).items()}
    empty = frozenset(choice.step for choice in choices if not choice.options)
    return Refreshed({**context, "steps": {**context["steps"], **steps}, "vars": values}, empty)


def _value_now(value: Any, choices: Sequence[_Choice]) -> Any:
    """A value that `with` took from a step's items or code follows them."""
    if isinstance(value, list) and value:
        return next((one.shown()["items"] for one in choices if value == one.result["items"]), value)
    if isinstance(value, str):
        for one in choices:
            before = one.result.get("code")
            if before and one.code != before:
                value = value.replace(before, one.code or "")
    return value


class _Shelf:
    """What can be had now, each offer and product looked up once a batch."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._offers: dict[str, Offer | None] = {}
        self._catalogues: dict[str, Catalogue | None] = {}

    def load(self, rankings: Iterator[Ranking]) -> None:
        wanted: dict[str, set[str]] = {}
        for ranking in rankings:
            for item in ranking["ranking"]:
                wanted.setdefault(item["offer"], set()).add(item["sku"])
        for slug, skus in wanted.items():
            offer = self.find(slug)
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

    def find(self, slug: str) -> Offer | None:
        """The published offer; None where it is not there (any more) or cannot be read."""
        if slug not in self._offers:
            try:
                self._offers[slug] = get_offer(self._connection, slug)
            except (NotFoundError, ConfigError):
                self._offers[slug] = None
        return self._offers[slug]
