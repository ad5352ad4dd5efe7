"""What somebody likes more than others do: the share of a category in what they bought, against its share in the shop.

1 is as everybody, 2 twice as much. Who bought little is drawn towards 1, so that a single purchase is no passion.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from customers.tables import LineKind, OrderKind, ProfileStatus, customer_order, order_line, product, profile

PREFIX = "affinity_"
MOST_CATEGORIES = 20
_RANGE = 20_000
_PRIOR_LINES = 5.0
_NO_SLUG = re.compile(r"[^a-z0-9]+")


def shop_shares(connection: Connection, now: datetime) -> dict[str, float]:
    """The share of each category in all order lines of people who may be scored, largest first."""
    count = func.count()
    query = _lines(now).with_only_columns(product.c.category, count).group_by(product.c.category)
    counts = Counter(dict(connection.execute(query).tuples().all()))
    whole = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {category: lines / whole for category, lines in ordered}


def affinities(lines: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, float]:
    """The affinity of one person for each category they bought, strongest first."""
    whole = sum(lines.values()) + _PRIOR_LINES
    found = {
        category: (count + _PRIOR_LINES * shares[category]) / whole / shares[category]
        for category, count in lines.items()
        if shares.get(category)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def score_names(shares: Mapping[str, float]) -> dict[str, str]:
    """Category to the name of its score, for the largest categories; two that would share a name have none."""
    names = {category: PREFIX + slug for category in shares if (slug := _slug(category))}
    often = Counter(names.values())
    return dict([(category, name) for category, name in names.items() if often[name] == 1][:MOST_CATEGORIES])


def iter_lines(connection: Connection, now: datetime) -> Iterator[tuple[int, dict[str, int]]]:
    """For each customer how many lines of each category they ordered."""
    last = connection.scalar(select(func.max(customer_order.c.profile_id))) or 0
    for first in range(1, last + 1, _RANGE):
        order = customer_order.c
        query = _by_person(now).where(order.profile_id >= first, order.profile_id < first + _RANGE)
        people: dict[int, dict[str, int]] = {}
        for profile_id, category, count in connection.execute(query):
            people.setdefault(profile_id, {})[category] = count
        yield from people.items()


def lines_of(connection: Connection, profile_id: int, now: datetime) -> dict[str, int]:
    """The lines of one customer by category."""
    query = _by_person(now).where(customer_order.c.profile_id == profile_id)
    return {category: count for _owner, category, count in connection.execute(query)}


def _by_person(now: datetime) -> Select[Any]:
    columns = customer_order.c.profile_id, product.c.category
    return _lines(now).with_only_columns(*columns, func.count()).group_by(*columns)


def _lines(now: datetime) -> Select[Any]:
    order, line = customer_order.c, order_line.c
    return (
        select(order.profile_id)
        .join(order_line, line.order_id == order.id)
        .join(product, product.c.sku == line.sku)
        .join(profile, profile.c.id == order.profile_id)
        .where(
            product.c.category.is_not(None),
            order.kind == OrderKind.ORDER,
            order.placed_at < now,
            line.kind == LineKind.PRODUCT,
            line.quantity > 0,
            profile.c.status == ProfileStatus.ACTIVE,
            profile.c.objected_at.is_(None),
        )
    )


def _slug(category: str) -> str:
    return _NO_SLUG.sub("_", category.lower()).strip("_")[:60]
