"""The rules of a set with everything that a person wants to know before trusting one: reads, picks and sorts.

Intervals and chances follow from the counts of baskets, so that they are reckoned here and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from core.database import batches
from customers.tables import product
from recommender.significance import (
    Intervals,
    adjusted,
    chances,
    lift_intervals,
    possible_rules,
    share_intervals,
)
from recommender.tables import association_rule

_BATCH = 500


class Order(StrEnum):
    """What comes first: the surest of its kind."""

    CONFIDENCE = "confidence"
    LIFT = "lift"
    SUPPORT = "support"
    CHANCE = "chance"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ListedRule:
    """One rule. Counts are of baskets: with all of it, with its left side, with its right side.

    `chance` is how likely an accident gives as many baskets; `q_value` the share of accidents to expect among the rules
    that are as sure as this one.
    """

    antecedent: tuple[str, ...]
    consequent: str
    antecedent_names: tuple[str, ...]
    consequent_name: str
    basket_count: int
    antecedent_count: int
    consequent_count: int
    support: Figure
    confidence: Figure
    lift: Figure
    chance: float
    q_value: float

    @property
    def sentence(self) -> str:
        return f"{' + '.join(self.antecedent_names)} → {self.consequent_name}"


@dataclass(frozen=True, slots=True)
class RuleList:
    """All rules of one set. `possible` counts by length the rules that could have been found: so many were tried."""

    rule_set_id: int
    mined_at: datetime
    basket_count: int
    possible: Mapping[int, int]
    rules: tuple[ListedRule, ...]

    @property
    def test_count(self) -> int:
        return sum(self.possible.values())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules: those that name `product` (its sku, or a part of its name) and reach every floor."""

    product: str | None = None
    min_confidence: float = 0.0
    min_lift: float = 0.0
    min_count: int = 0
    max_q: float = 1.0


def list_rules(connection: Connection, rule_set: Row[Any]) -> RuleList:
    """The rules of a row of `rule_set`, the most confident first."""
    rows = connection.execute(
        select(association_rule)
        .where(association_rule.c.rule_set_id == rule_set.id)
        .order_by(association_rule.c.rule_no)
    ).all()
    names = product_names(connection, {sku for row in rows for sku in (*row.antecedent, row.consequent)})
    baskets = rule_set.basket_count
    lengths = np.array([len(row.antecedent) + 1 for row in rows], dtype=np.int64)
    # A set mined by an earlier version does not say how many products were frequent: then they all count.
    frequent = rule_set.parameters.get("frequent_count", rule_set.item_count)
    longest = max(rule_set.parameters.get("max_length") or 0, int(lengths.max(initial=2)))
    possible = possible_rules(frequent, longest)
    if not rows:
        return RuleList(rule_set.id, rule_set.mined_at, baskets, possible, ())
    count = np.array([row.basket_count for row in rows], dtype=np.int64)
    confidence = np.array([row.confidence for row in rows])
    lift = np.array([row.lift for row in rows])
    # Both are quotients of counts below 2^53, from which rounding gives the counts back.
    left = np.rint(count / confidence).astype(np.int64)
    right = np.rint(confidence * baskets / lift).astype(np.int64)
    chance = chances(count, left, right, baskets)
    columns = zip(
        rows,
        left.tolist(),
        right.tolist(),
        _figures([row.support for row in rows], share_intervals(count, baskets)),
        _figures(confidence.tolist(), share_intervals(count, left)),
        _figures(lift.tolist(), lift_intervals(count, left, right, baskets)),
        chance.tolist(),
        adjusted(chance, lengths, possible).tolist(),
        strict=True,
    )
    rules = (
        ListedRule(
            tuple(row.antecedent),
            row.consequent,
            tuple(names.get(sku, sku) for sku in row.antecedent),
            names.get(row.consequent, row.consequent),
            row.basket_count,
            *figures,
        )
        for row, *figures in columns
    )
    return RuleList(rule_set.id, rule_set.mined_at, baskets, possible, tuple(rules))


def pick(rules: Iterable[ListedRule], wanted: Wanted, order: Order = Order.CONFIDENCE) -> list[ListedRule]:
    """Those that are wanted, sorted; equals stay in their order."""
    return sorted((rule for rule in rules if _is_wanted(rule, wanted)), key=lambda rule: _place(rule, order))


def product_names(connection: Connection, skus: Iterable[str]) -> dict[str, str]:
    """The names of those of the products that the catalogue knows."""
    names: dict[str, str] = {}
    for some in batches(sorted(skus), _BATCH):
        found = connection.execute(select(product.c.sku, product.c.name).where(product.c.sku.in_(some)))
        names |= {row.sku: row.name for row in found}
    return names


def _figures(values: Sequence[float], ends: Intervals) -> list[Figure]:
    return [Figure(*some) for some in zip(values, ends.low.tolist(), ends.high.tolist(), strict=True)]


def _is_wanted(rule: ListedRule, wanted: Wanted) -> bool:
    return (
        (wanted.product is None or _names(rule, wanted.product))
        and rule.confidence.value >= wanted.min_confidence
        and rule.lift.value >= wanted.min_lift
        and rule.basket_count >= wanted.min_count
        and rule.q_value <= wanted.max_q
    )


def _names(rule: ListedRule, product: str) -> bool:
    if product in (*rule.antecedent, rule.consequent):
        return True
    part = product.casefold()
    return any(part in name.casefold() for name in (*rule.antecedent_names, rule.consequent_name))


def _place(rule: ListedRule, order: Order) -> float:
    match order:
        case Order.CONFIDENCE:
            return -rule.confidence.value
        case Order.LIFT:
            return -rule.lift.value
        case Order.SUPPORT:
            return -rule.basket_count
        case Order.CHANCE:
            return rule.chance
