"""Offers for the pages of a shop, in one process: out of memory for everybody, out of the database for somebody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select

from core.errors import InputError
from core.runtime import Runtime
from customers.tables import product
from recommender.decisions import StoredDecision
from recommender.offer_definition import Offer
from recommender.offers import OfferItem, propose_to_nobody, show_decision
from recommender.serving.answers import PERSONAL, Answer, document, for_one, shared, shown, told, unless_known
from recommender.serving.asked import MOST_TEXT, THIS_BROWSER, Asked
from recommender.serving.counter import Counter
from recommender.serving.desk import Desk, Stock
from recommender.serving.ledger import Ledger
from recommender.serving.person import decide_for_visitor
from tracking.visitor_cookie import read_cookie

log = logging.getLogger(__name__)

PLACEMENTS: Final = ("cart", "category", "checkout", "home", "product", "search", "thanks")

_SURFACE: Final = "widget"
_KEPT_ANSWERS: Final = 2_000


class OfferServer:
    """One for a process; started before the first request and closed after the last."""

    def __init__(self, runtime: Runtime, desk: Desk | None = None) -> None:
        self._runtime = runtime
        self.desk = desk or Desk(runtime)
        self.ledger = Ledger(runtime)

    def start(self) -> None:
        self.ledger.start()

    async def close(self) -> None:
        await self.ledger.close()

    async def knows(self, sku: str) -> bool:
        """Whether there is such a product; raises what the database raises."""
        if (await self.desk.stock()).shelf.find(sku) is not None:
            return True
        return len(sku) <= MOST_TEXT and "\0" not in sku and await asyncio.to_thread(self._is_new, sku)

    async def answer(self, asked: Asked, headers: Mapping[bytes, bytes]) -> Answer:
        """What a page shows. Raises InputError for a placement that there is not."""
        stock = await self.desk.stock()
        offer = _offer(stock, asked)
        if asked.visitor is None:
            answer = await self._for_nobody(stock, offer, asked)
            return unless_known(answer, headers.get(b"if-none-match", b""))
        visitor = _visitor(asked.visitor, headers)
        decision = await self._for_visitor(stock, offer, visitor, asked) if visitor else None
        if decision is None:
            return for_one(await self._for_nobody(stock, offer, asked))
        items = await self._shown(stock, decision)
        self.ledger.note(decision)
        return told(200, document(asked.placement, offer, decision, items), PERSONAL)

    async def _for_nobody(self, stock: Stock, offer: Offer, asked: Asked) -> Answer:
        key = (asked.placement, asked.skus, asked.limit)
        known = stock.answers.get(key)
        if known is not None:
            self.ledger.note(known[0])
            return known[1]
        counter = await self.desk.counter(stock, offer)
        decision, items = await self._proposed(counter, offer, asked)
        self.ledger.note(decision)
        answer = shared(document(asked.placement, offer, decision, items))
        if offer.valid_from is None and offer.valid_to is None:
            if len(stock.answers) >= _KEPT_ANSWERS:
                stock.answers.clear()
            stock.answers[key] = decision, answer
        return answer

    async def _proposed(
        self, counter: Counter, offer: Offer, asked: Asked
    ) -> tuple[StoredDecision, Sequence[OfferItem]]:
        shelf, now = counter.shelf, self._runtime.clock.now()
        if shelf.is_whole or all(shelf.find(sku) is not None for sku in asked.skus):
            decision = counter.propose(offer, asked.skus, surface=_SURFACE, now=now)
            if shelf.is_whole or len(decision.items) == asked.limit:
                return decision, shown(decision, (shelf.find(item.sku) for item in decision.items))
        return await asyncio.to_thread(self._propose_slowly, offer, asked)

    def _propose_slowly(self, offer: Offer, asked: Asked) -> tuple[StoredDecision, Sequence[OfferItem]]:
        """Where the catalogue is larger than the memory that it may take."""
        with self._runtime.database.read() as connection:
            now = self._runtime.clock.now()
            decision = propose_to_nobody(connection, offer, asked.skus, surface=_SURFACE, now=now)
            return decision, show_decision(connection, decision).items

    async def _for_visitor(self, stock: Stock, offer: Offer, visitor: str, asked: Asked) -> StoredDecision | None:
        """None where there is nobody, or the database has a moment of its own: then the answer is anybody's."""
        try:
            counter = await self.desk.counter(stock, offer)
            return await asyncio.to_thread(
                decide_for_visitor,
                self._runtime,
                offer,
                visitor,
                asked.skus,
                counter,
                surface=_SURFACE,
                find_noted=self.ledger.find,
            )
        except Exception as error:  # noqa: BLE001 - what one person's answer trips over must not fail their page
            log.warning("a visitor is answered like anybody: %s", type(error).__name__)
            return None

    async def _shown(self, stock: Stock, decision: StoredDecision) -> Sequence[OfferItem]:
        products = [stock.shelf.find(item.sku) for item in decision.items]
        if stock.shelf.is_whole or None not in products:
            return shown(decision, products)
        return await asyncio.to_thread(self._show_slowly, decision)

    def _show_slowly(self, decision: StoredDecision) -> Sequence[OfferItem]:
        with self._runtime.database.read() as connection:
            return show_decision(connection, decision).items

    def _is_new(self, sku: str) -> bool:
        with self._runtime.database.read() as connection:
            return connection.execute(select(product.c.sku).where(product.c.sku == sku)).first() is not None


def _visitor(given: str, headers: Mapping[bytes, bytes]) -> str | None:
    """Nobody where the browser asks not to be known (Global Privacy Control, W3C)."""
    if headers.get(b"sec-gpc", b"").strip() == b"1":
        return None
    if given == THIS_BROWSER:
        return read_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    return given


def _offer(stock: Stock, asked: Asked) -> Offer:
    """The published offer named like the placement, or a plain one where none is."""
    slug = asked.placement
    published = stock.offer(slug, asked.limit)
    if published is not None:
        return published
    if slug in PLACEMENTS:
        return stock.with_count(Offer(slug), asked.limit)
    known = ", ".join(PLACEMENTS)
    raise InputError(f"there is no placement {slug!r}: publish an offer of that name, or use {known}.")
