"""The rule set that offers are made from, as arrays in memory.

A rule set never changes once it is written, so each process reads it once and notices by its id that there is a newer
one: from the database, or, where many processes serve, from a file that they share. Best sellers stand in the same
index, under names that no product has.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, Row, func, select

from core.clock import to_micros
from core.ids import content_hash
from core.settings import Settings
from customers.tables import LineKind, OrderKind, customer_order, order_line, product
from recommender.ranking import NOTHING, Ranking
from recommender.serving.index_file import DamagedIndexError, StoredIndex, drop_older, read_index, write_index
from recommender.tables import related_item, rule_set

log = logging.getLogger(__name__)

BEST_SELLERS = "*"
_LONGEST_KEY = 100
_LIVE_ORDERS = 5_000
_LIVE_PRODUCTS = 200


class RuleSetStatus(StrEnum):
    CANDIDATE = "candidate"
    PUBLISHED = "published"
    REPLACED = "replaced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Index:
    """Companions of each product, and skus by sales: of the whole shop and of each category.

    `rule_set_id` is None while nothing was published: then there are best sellers only.
    """

    rule_set_id: int | None
    ranking: Ranking
    positions: Mapping[str, int]
    sellers: Mapping[str, Sequence[str]]

    def best_sellers(self, category: str | None = None) -> Sequence[str]:
        return self.sellers.get(BEST_SELLERS if category is None else category_key(category), ())


def category_key(category: str) -> str:
    """The name under which a category's best sellers stand in the index."""
    key = f"{BEST_SELLERS}{category}"
    return key if len(key) <= _LONGEST_KEY else f"{BEST_SELLERS}{content_hash(category)}"


def find_published(connection: Connection) -> Row[Any] | None:
    """The row of the rule set in force."""
    return _newest(connection, (RuleSetStatus.PUBLISHED,))


def get_index(connection: Connection, folder: Path | None = None) -> Index:
    """The index in force; without a published rule set, best sellers of the last refused one, or counted now.

    With a `folder` the rules are mapped from their file there, which is made where it is missing or damaged; only a
    reading connection may ask for that, because what is not committed must not come to stand in a file.
    """
    newest = find_published(connection) or _newest(connection, (RuleSetStatus.REFUSED,))
    if newest is None:
        return Index(None, empty_ranking(), {}, {BEST_SELLERS: _count_best_sellers(connection)})
    key = (newest.id, newest.mined_at)
    engine = connection.engine
    with _lock:
        known = _in_memory.get(engine)
    if known is not None and known[0] == key:
        return known[1]
    index = _index_of(connection, newest, folder)
    with _lock:
        _in_memory[engine] = (key, index)
    return index


def rules_folder(settings: Settings) -> Path:
    """Where the files of the rules lie."""
    return settings.state_folder / "rules"


def index_path(folder: Path, rule_set_id: int, mined_at: datetime) -> Path:
    """Where the file of a rule set lies."""
    return folder / f"{rule_set_id}-{to_micros(mined_at)}.rules"


def load_ranking(connection: Connection, rule_set_id: int) -> tuple[Ranking, dict[str, list[str]]]:
    """The companions of one rule set and its lists of best sellers by name."""
    rows = connection.execute(
        select(related_item.c.sku, related_item.c.rank, related_item.c.related_sku, related_item.c.score)
        .where(related_item.c.rule_set_id == rule_set_id)
        .order_by(related_item.c.sku, related_item.c.rank)
    ).all()
    sellers: dict[str, list[str]] = {}
    companions = []
    for entry in rows:
        if entry[0].startswith(BEST_SELLERS):
            sellers.setdefault(entry[0], []).append(entry[2])
        else:
            companions.append(entry)
    skus = tuple(sorted({entry[0] for entry in companions} | {entry[2] for entry in companions}))
    positions = {sku: place for place, sku in enumerate(skus)}
    companion = np.full((len(skus), max((entry[1] for entry in companions), default=0) or 1), NOTHING, np.int32)
    score = np.zeros(companion.shape)
    for sku, rank, related, value in companions:
        companion[positions[sku], rank - 1] = positions[related]
        score[positions[sku], rank - 1] = value
    return Ranking(skus, companion, score), sellers


def empty_ranking() -> Ranking:
    return Ranking((), np.full((0, 1), NOTHING, dtype=np.int32), np.zeros((0, 1)))


_in_memory: WeakKeyDictionary[Engine, tuple[tuple[int, datetime], Index]] = WeakKeyDictionary()
_lock = Lock()


def _newest(connection: Connection, statuses: Sequence[RuleSetStatus]) -> Row[Any] | None:
    return connection.execute(
        select(rule_set).where(rule_set.c.status.in_(statuses)).order_by(rule_set.c.id.desc()).limit(1)
    ).one_or_none()


def _index_of(connection: Connection, newest: Row[Any], folder: Path | None) -> Index:
    stored = _mapped(connection, newest, folder) if folder else StoredIndex(*load_ranking(connection, newest.id))
    ranking, sellers = stored
    if newest.status != RuleSetStatus.PUBLISHED:
        return Index(None, empty_ranking(), {}, sellers)
    return Index(newest.id, ranking, {sku: place for place, sku in enumerate(ranking.skus)}, sellers)


def _mapped(connection: Connection, newest: Row[Any], folder: Path) -> StoredIndex:
    path = index_path(folder, newest.id, newest.mined_at)
    try:
        return read_index(path)
    except FileNotFoundError:
        log.info("rule set %d gets its file", newest.id)
    except (DamagedIndexError, OSError) as error:
        log.warning("the rules are read from the database: %s", error)
    stored = StoredIndex(*load_ranking(connection, newest.id))
    try:
        write_index(path, stored)
        drop_older(path)
        return read_index(path)
    except (DamagedIndexError, OSError) as error:
        log.warning("the rules stay in this process's memory: %s", error)
        return stored


def _count_best_sellers(connection: Connection) -> list[str]:
    """Best sellers of the latest orders, for a shop in which nothing was mined yet."""
    latest = (
        select(customer_order.c.id)
        .where(customer_order.c.kind == OrderKind.ORDER)
        .order_by(customer_order.c.placed_at.desc(), customer_order.c.id.desc())
        .limit(_LIVE_ORDERS)
        .subquery()
    )
    query = (
        select(order_line.c.sku)
        .join(latest, latest.c.id == order_line.c.order_id)
        .join(product, product.c.sku == order_line.c.sku)
        .where(order_line.c.kind == LineKind.PRODUCT)
        .group_by(order_line.c.sku)
        .order_by(func.count(order_line.c.order_id.distinct()).desc(), order_line.c.sku)
        .limit(_LIVE_PRODUCTS)
    )
    return list(connection.execute(query).scalars())
