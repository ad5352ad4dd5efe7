"""What was bought together: the shop's orders as baskets of small integers, ready for counting.

Orders count, returns do not; anonymous orders count as well, because a basket needs no name. A basket says which
products it holds and not how many of each. Nothing is counted here.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, bindparam, select, tuple_, type_coerce

from core.clock import to_micros
from customers.tables import LineKind, OrderKind, customer_order, order_line

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]

_PAGE_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Baskets:
    """Basket `b` holds the products `skus[i]` for `i` in `items[starts[b]:starts[b + 1]]`, ascending, each once.

    `starts` (one more than baskets) and `items` are int32; `placed_at` is int64 microseconds since 1970, UTC.
    """

    skus: tuple[str, ...]
    starts: Int32s
    items: Int32s
    placed_at: Int64s

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Int32s:
        return np.diff(self.starts)

    @property
    def rows(self) -> Int64s:
        """The basket of each entry of `items`."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def item_counts(self) -> Int64s:
        """In how many baskets each product lies."""
        return np.bincount(self.items, minlength=len(self.skus)).astype(np.int64)

    def where(self, chosen: Flags) -> Baskets:
        """The baskets for which `chosen` is true, over the same products."""
        kept = np.repeat(chosen, self.sizes)
        return Baskets(self.skus, _starts(self.sizes[chosen]), self.items[kept], self.placed_at[chosen])

    def of_items(self, chosen: Flags) -> Baskets:
        """The same baskets without the products for which `chosen` is false; some may be empty afterwards."""
        kept = chosen[self.items]
        sizes = np.bincount(self.rows[kept], minlength=len(self))
        return Baskets(self.skus, _starts(sizes), self.items[kept], self.placed_at)

    def capped(self, size: int) -> Baskets:
        """The same baskets with at most `size` products each: the ones that most baskets hold.

        A wholesaler's order of 500 lines says little about any two of them and costs as much as 10,000 small baskets.
        """
        if not len(self) or self.sizes.max() <= size:
            return self
        popularity = self.item_counts()[self.items]
        order = np.lexsort((self.items, -popularity, self.rows))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) - np.repeat(self.starts[:-1], self.sizes)
        kept = place < size
        return Baskets(self.skus, _starts(np.minimum(self.sizes, size)), self.items[kept], self.placed_at)


def baskets_of(orders: Iterable[tuple[int, Iterable[str]]]) -> Baskets:
    """Baskets from (microseconds since 1970, skus) of each order; `orders` may be a stream."""
    placed_at, sizes = array("q"), array("q")

    def each() -> Iterator[Collection[str]]:
        for at, skus in orders:
            held = skus if isinstance(skus, list | tuple) else tuple(skus)
            placed_at.append(at)
            sizes.append(len(held))
            yield held

    skus, items = numbered(chain.from_iterable(each()))
    return _assembled(placed_at, np.repeat(np.arange(len(sizes)), np.asarray(sizes)), skus, items)


def read_baskets(connection: Connection, *, start: datetime | None = None, end: datetime | None = None) -> Baskets:
    """The baskets of all orders placed in `[start, end)`, streamed by key in pages, in the order of their ids."""
    query = (
        select(
            order_line.c.order_id,
            order_line.c.line_no,
            order_line.c.sku,
            type_coerce(customer_order.c.placed_at, BigInteger),
        )
        .join(customer_order, customer_order.c.id == order_line.c.order_id)
        .where(
            tuple_(order_line.c.order_id, order_line.c.line_no) > tuple_(bindparam("order_id"), bindparam("line_no")),
            customer_order.c.kind == OrderKind.ORDER,
            order_line.c.kind == LineKind.PRODUCT,
            order_line.c.quantity > 0,
        )
        .order_by(order_line.c.order_id, order_line.c.line_no)
        .limit(_PAGE_LINES)
    )
    if start is not None:
        query = query.where(customer_order.c.placed_at >= start)
    if end is not None:
        query = query.where(customer_order.c.placed_at < end)
    placed_at, rows = array("q"), array("q")
    names: list[str] = []
    order_id = line_no = 0
    known = -1
    while True:
        page = connection.execute(query, {"order_id": order_id, "line_no": line_no}).all()
        for order_id, _line_no, sku, at in page:
            if order_id != known:
                known = order_id
                placed_at.append(at)
            rows.append(len(placed_at) - 1)
            names.append(sku)
        if len(page) < _PAGE_LINES:
            return _assembled(placed_at, np.asarray(rows, dtype=np.int64), *numbered(names))
        line_no = page[-1].line_no


def instant_of(at: datetime) -> int:
    """An instant as `Baskets.placed_at` holds it."""
    return to_micros(at)


def numbered(names: Iterable[str]) -> tuple[tuple[str, ...], Int64s]:
    """The different names, sorted, and the position among them of each name."""
    codes: defaultdict[str, int] = defaultdict()
    codes.default_factory = codes.__len__  # a new name takes the next number, without a line of Python for each
    first_seen = np.fromiter(map(codes.__getitem__, names), dtype=np.int64)
    skus = tuple(sorted(codes))
    place = np.empty(len(skus), dtype=np.int64)
    place[[codes[sku] for sku in skus]] = np.arange(len(skus))
    return skus, place[first_seen]


def _assembled(placed_at: array[int], rows: Int64s, skus: tuple[str, ...], items: Int64s) -> Baskets:
    width = max(len(skus), 1)
    key = rows * width + items
    if len(placed_at) * width < 2**32:
        key = key.astype(np.uint32)  # sorts twice as fast
    key.sort()
    if len(key):
        key = key[np.concatenate([[True], key[1:] != key[:-1]])]
    row, item = np.divmod(key, width)
    sizes = np.bincount(row, minlength=len(placed_at))
    return Baskets(skus, _starts(sizes), item.astype(np.int32), np.asarray(placed_at, dtype=np.int64))


def _starts(sizes: Int32s | Int64s) -> Int32s:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
