"""Conditions on what people have: bought, and not given back.

Of each product all that was ever returned is taken from all that was ever bought, and something must be left; with a
window, some of the product must also have been bought in it. Fees are no products. Who owns what is worked out once
for a rule and joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import CTE, Connection, Select, Text, and_, func, literal, select

from core.columns import Instant
from customers.tables import LineKind, customer_order, order_line, product
from segments.compiling.predicates import Moment
from segments.compiling.values import Predicate, one_if
from segments.language.rules import OwnedBy, OwnsRule

_NAMED = 5


class Owners:
    """Who owns what `rules` ask about; `tables` has one for each, to be outer-joined by `profile_id`."""

    def __init__(self, rules: Iterable[OwnsRule], moment: Moment, batch: Sequence[int] | None) -> None:
        self._tables: dict[OwnsRule, CTE] = {}
        for number, rule in enumerate(dict.fromkeys(rules), start=1):
            held = _held(rule, moment, batch).subquery("held")
            people = select(held.c.profile_id).group_by(held.c.profile_id)
            self._tables[rule] = people.cte(f"owners_{number}")

    @property
    def tables(self) -> list[CTE]:
        return list(self._tables.values())

    def predicate(self, rule: OwnsRule) -> Predicate:
        return self._tables[rule].c.profile_id.is_not(None)


def name_owned(connection: Connection, rule: OwnsRule, profile_id: int, moment: Moment) -> str | None:
    """What the person owns of it, such as `green-tea (2), kettle (1)`; None for nothing."""
    rows = connection.execute(_held(rule, moment, [profile_id]).order_by(order_line.c.sku).limit(_NAMED))
    return ", ".join(f"{row.sku} ({row.quantity})" for row in rows) or None


def _held(rule: OwnsRule, moment: Moment, batch: Sequence[int] | None) -> Select[tuple[int, str, int]]:
    """A row for each person and product of which something is left."""
    order, line = customer_order.c, order_line.c
    left = func.sum(line.quantity)
    query = (
        select(order.profile_id, line.sku, left.label("quantity"))
        .join_from(customer_order, order_line, line.order_id == order.id)
        .where(
            order.profile_id.is_not(None) if batch is None else order.profile_id.in_(batch),
            order.placed_at < literal(moment.now, Instant()),
            line.kind == LineKind.PRODUCT.value,
            _is_wanted(rule),
        )
        .group_by(order.profile_id, line.sku)
        .having(left > 0)
    )
    if rule.within is None:
        return query
    bought = and_(line.quantity > 0, order.placed_at >= literal(moment.now - rule.within, Instant()))
    return query.having(func.count(one_if(bought)) > 0)


def _is_wanted(rule: OwnsRule) -> Predicate:
    names = [literal(name, Text()) for name in rule.names]
    if rule.by is OwnedBy.PRODUCT:
        return order_line.c.sku.in_(names)
    return order_line.c.sku.in_(select(product.c.sku).where(product.c.category.in_(names)))
