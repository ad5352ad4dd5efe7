"""What very many profiles bought last, and when, as columns of numbers: no object stands for a purchase.

Rows are read as the database sends them and become columns a page at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, select, type_coerce

from core.bulk import among
from customers.tables import LineKind, OrderKind, customer_order, order_line
from recommender.baskets import Flags, Int64s, numbered

_ROWS_AT_ONCE = 500  # more at hand would cost more in collecting garbage than in reading


@dataclass(frozen=True, slots=True)
class Bought:
    """The profile at place `row[i]` of those asked about bought `skus[item[i]]`, last at `at[i]` (microseconds).

    Ordered by row and within it by product, each once; `skus` are sorted.
    """

    skus: tuple[str, ...]
    row: Int64s
    item: Int64s
    at: Int64s

    def latest(self, count: int) -> Flags:
        """Which purchases are among the latest `count` of their profile; of two at once, the later sku counts."""
        sizes = np.bincount(self.row)
        if sizes.max(initial=0) <= count:
            return np.ones(len(self.row), dtype=bool)
        chosen = sizes[self.row] <= count
        many = np.flatnonzero(~chosen)
        order = many[np.lexsort((-self.item[many], -self.at[many], self.row[many]))]
        starts = np.flatnonzero(np.diff(self.row[order], prepend=-1))
        place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
        chosen[order[place < count]] = True
        return chosen


def bought_nothing() -> Bought:
    nothing = np.empty(0, dtype=np.int64)
    return Bought((), nothing, nothing, nothing)


def read_bought(connection: Connection, profile_ids: Sequence[int], now: datetime) -> Bought:
    """What some thousand different profiles bought before `now`; returns and fees do not count."""
    order = customer_order.c
    query = (
        select(order.profile_id, order_line.c.sku, type_coerce(order.placed_at, BigInteger))
        .join(order_line, order_line.c.order_id == order.id)
        .where(
            among(connection, order.profile_id, profile_ids),
            order.kind == OrderKind.ORDER,
            order.placed_at < now,
            order_line.c.kind == LineKind.PRODUCT,
        )
    )
    owners, names, instants = array("q"), list[str](), array("q")
    result = connection.execute(query)
    driver: Any = result.cursor  # its rows as they are: the columns need nothing that a Row adds
    while some := driver.fetchmany(_ROWS_AT_ONCE):
        owner, sku, at = zip(*some, strict=True)
        owners.extend(owner)
        names += sku
        instants.extend(at)
    result.close()
    if not names:
        return bought_nothing()
    skus, items = numbered(names)
    ids = np.asarray(profile_ids, dtype=np.int64)
    rising = np.argsort(ids)
    row = rising[np.searchsorted(ids[rising], np.asarray(owners, dtype=np.int64))]
    return _last_of_each(skus, row, items, np.asarray(instants, dtype=np.int64))


def _last_of_each(skus: tuple[str, ...], row: Int64s, item: Int64s, at: Int64s) -> Bought:
    key = row * len(skus) + item
    order = np.lexsort((at, key))
    key = key[order]
    is_last = np.append(key[1:] != key[:-1], True)
    row, item = np.divmod(key[is_last], len(skus))
    return Bought(skus, row, item, at[order][is_last])
