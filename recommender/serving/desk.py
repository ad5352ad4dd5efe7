"""What a web process answers offers from: rules, catalogue and offers, read together and replaced together.

Whoever asks takes the stock of the moment and keeps it for the whole answer; a newer one is made beside it when the
database says that something changed, and nobody waits for that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from threading import Lock
from typing import Any

from sqlalchemy import Connection, func, select

from core.definitions import definition, list_definitions
from core.errors import ConfigError
from core.runtime import Runtime
from recommender.decisions import StoredDecision
from recommender.offer_definition import KIND, Offer, get_offer
from recommender.published import Index, get_index, rules_folder
from recommender.serving.answers import Answer
from recommender.serving.counter import Counter
from recommender.serving.shelf import MOST_PRODUCTS, Revision, Shelf, catalogue_revision, fill_shelf, refill
from recommender.tables import rule_set

log = logging.getLogger(__name__)

_ASKED_EVERY_S = 1.0
_READ_ANEW_S = 300.0  # what revisions do not show: products taken away, best sellers that were counted, validity


Asking = tuple[str, tuple[str, ...], int]
"""Placement, skus and number of products."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """What the database says about the age of each part."""

    rules: tuple[Any, ...]
    offers: tuple[Any, ...]
    catalogue: Revision


@dataclass(frozen=True, slots=True)
class Stock:
    """`offers` has None for one that cannot be read. `answers` keeps what was answered from this very stock."""

    stand: _Stand
    index: Index
    shelf: Shelf
    offers: Mapping[str, Offer | None]
    read_at: float
    counters: dict[str, Counter] = field(default_factory=dict)
    sized: dict[tuple[str, int], Offer] = field(default_factory=dict)
    answers: dict[Asking, tuple[StoredDecision, Answer]] = field(default_factory=dict)

    def offer(self, slug: str, count: int) -> Offer | None:
        """The published offer, for so many products; not live where it cannot be read."""
        if slug not in self.offers:
            return None
        return self.with_count(self.offers[slug] or Offer(slug, is_live=False), count)

    def with_count(self, offer: Offer, count: int) -> Offer:
        found = self.sized.get((offer.slug, count))
        if found is None:
            found = self.sized[offer.slug, count] = replace(offer, recommend=replace(offer.recommend, count=count))
        return found

    def find_counter(self, offer: Offer) -> Counter | None:
        """None where the products that fit the offer's own conditions have yet to be found."""
        if offer.recommend.where is None:
            return self.counters[""]
        return self.counters.get(offer.slug)


class Desk:
    """One for a process. `folder` is where the rules are mapped from."""

    def __init__(self, runtime: Runtime, most_products: int = MOST_PRODUCTS) -> None:
        self._runtime = runtime
        self._folder = rules_folder(runtime.settings)
        self._most = most_products
        self._stock: Stock | None = None
        self._asked_at = 0.0
        self._is_asking = False
        self._lock = Lock()

    async def stock(self) -> Stock:
        """The stock of the moment. Only the first caller ever waits; raises what the database raised to it."""
        stock = self._stock
        if stock is None:
            return await asyncio.to_thread(self._first)
        if not self._is_asking and time.monotonic() - self._asked_at > _ASKED_EVERY_S:
            self._is_asking = True
            asyncio.get_running_loop().run_in_executor(None, self._look)
        return stock

    async def counter(self, stock: Stock, offer: Offer) -> Counter:
        """What an offer chooses from."""
        found = stock.find_counter(offer)
        return found if found is not None else await asyncio.to_thread(self._narrow, stock, offer)

    def refresh(self) -> Stock:
        """The stock as the database has it now, at once."""
        with self._lock:
            self._stock = self._read(self._stock)
            self._asked_at = time.monotonic()
            return self._stock

    def _first(self) -> Stock:
        with self._lock:
            if self._stock is None:
                self._stock = self._read(None)
                self._asked_at = time.monotonic()
            return self._stock

    def _look(self) -> None:
        try:
            self.refresh()
        except Exception as error:  # noqa: BLE001 - offers go on from what is known, and the next look may do better
            log.warning("offers go on from what is in memory: %s", type(error).__name__)
        finally:
            self._asked_at = time.monotonic()
            self._is_asking = False

    def _read(self, old: Stock | None) -> Stock:
        now = time.monotonic()
        with self._runtime.database.read() as connection:
            stand = _stand(connection)
            is_due = old is None or now - old.read_at > _READ_ANEW_S
            if old is not None and not is_due and stand == old.stand:
                return old
            index = get_index(connection, self._folder)
            offers = old.offers if old and stand.offers == old.stand.offers else _offers(connection)
            if old is None or is_due or not (old.shelf.is_whole or stand.rules == old.stand.rules):
                known = chain(index.positions, *index.sellers.values())
                shelf, read_at = fill_shelf(connection, known, self._most), now
            else:
                has_news = stand.catalogue != old.stand.catalogue
                shelf = refill(connection, old.shelf, old.stand.catalogue) if has_news else old.shelf
                read_at = old.read_at
            stock = Stock(stand, index, shelf, offers, read_at)
            stock.counters[""] = Counter(index, shelf)
            for slug in old.counters if old else ():
                offer = offers.get(slug)
                if offer is not None:
                    self._add(connection, stock, offer)
        return stock

    def _narrow(self, stock: Stock, offer: Offer) -> Counter:
        with self._lock:
            found = stock.find_counter(offer)
            if found is None:
                with self._runtime.database.read() as connection:
                    found = self._add(connection, stock, offer)
            return found

    def _add(self, connection: Connection, stock: Stock, offer: Offer) -> Counter:
        where, now = offer.recommend.where, self._runtime.clock.now()
        shelf = stock.shelf if where is None else stock.shelf.narrowed(connection, where, now)
        counter = stock.counters[offer.slug] = Counter(stock.index, shelf)
        return counter


def _stand(connection: Connection) -> _Stand:
    rules = connection.execute(
        select(rule_set.c.id, rule_set.c.status, rule_set.c.mined_at).order_by(rule_set.c.id.desc()).limit(1)
    ).one_or_none()
    offers = connection.execute(
        select(func.count(), func.sum(definition.c.version), func.count(definition.c.withdrawn_at)).where(
            definition.c.kind.in_((KIND, "workspace"))
        )
    ).one()
    return _Stand(tuple(rules or ()), tuple(offers), catalogue_revision(connection))


def _offers(connection: Connection) -> dict[str, Offer | None]:
    offers: dict[str, Offer | None] = {}
    for published in list_definitions(connection, KIND):
        try:
            offers[published.slug] = get_offer(connection, published.slug)
        except ConfigError as error:
            log.warning("an offer cannot be used: %s", error)
            offers[published.slug] = None
    return offers
