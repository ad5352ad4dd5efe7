"""A new rule set: mined from the orders, ranked, judged, and put in the place of the one in force.

The judgement is made on the latest baskets, which the judged ranking has not seen. Mining takes seconds and only reads;
writing takes a moment. A caller with one connection for both uses `refresh_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select, update

from core.database import batches
from customers.tables import product
from recommender.baskets import Baskets, read_baskets
from recommender.judgement import Evaluation, before_judging, judge, rank_by, weigh
from recommender.mining.choice import find_itemsets
from recommender.parameters import RuleParameters
from recommender.published import BEST_SELLERS, RuleSetStatus, category_key
from recommender.ranking import NOTHING, Pairs, Ranking, best_sellers, count_pairs
from recommender.rules import Rules, derive_rules
from recommender.tables import association_rule, related_item, rule_set

_ROWS_AT_ONCE = 5_000
_LISTED_SELLERS = 500
_LISTED_IN_CATEGORY = 50


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a refresh did. `id` is the row in `rule_set`; counts are of what was mined."""

    id: int
    status: RuleSetStatus
    mined_at: datetime
    basket_count: int
    item_count: int
    rule_count: int
    min_count: int
    evaluation: Evaluation

    @property
    def is_published(self) -> bool:
        return self.status is RuleSetStatus.PUBLISHED


@dataclass(frozen=True, slots=True)
class MinedRules:
    """Everything that `publish_rules` writes."""

    mined_at: datetime
    parameters: RuleParameters
    min_count: int
    frequent_count: int
    baskets: Baskets
    rules: Rules
    ranking: Ranking
    evaluation: Evaluation
    sellers: Mapping[str, list[str]]


def refresh_rules(connection: Connection, now: datetime, parameters: RuleParameters | None = None) -> RuleSet:
    """Mine all orders before `now` and publish what comes out, if it is good enough."""
    return publish_rules(connection, mine_rules(connection, now, parameters or RuleParameters()))


def mine_rules(connection: Connection, now: datetime, parameters: RuleParameters) -> MinedRules:
    """Mine, rank and judge; reads only."""
    start = None if parameters.window_days is None else now - timedelta(days=parameters.window_days)
    whole = read_baskets(connection, start=start, end=now)
    baskets = whole.capped(parameters.largest_basket)
    weights = weigh(before_judging(baskets, parameters), parameters)
    parameters = replace(parameters, weights=weights)
    pairs = count_pairs(baskets, weights.basket)
    min_count = parameters.min_count or lowest_count(pairs, parameters.most_pairs, parameters.min_together)
    itemsets = find_itemsets(baskets, min_count, parameters.max_length, parameters.engine)
    return MinedRules(
        now,
        parameters,
        min_count,
        len(itemsets.levels[0]) if itemsets.levels else 0,
        baskets,
        derive_rules(itemsets, parameters.floors),
        rank_by(parameters, baskets, pairs),
        judge(connection, baskets, parameters),
        _sellers(connection, whole),
    )


def publish_rules(connection: Connection, mined: MinedRules) -> RuleSet:
    """Write a mined set and, if it is good enough, put it in the place of the one in force, in one transaction."""
    good = mined.evaluation.is_good
    row = {
        "mined_at": mined.mined_at,
        "status": RuleSetStatus.CANDIDATE,
        "basket_count": len(mined.baskets),
        "item_count": len(mined.baskets.skus),
        "rule_count": len(mined.rules),
        "parameters": asdict(mined.parameters)
        | {"used_min_count": mined.min_count, "frequent_count": mined.frequent_count},
        "evaluation": asdict(mined.evaluation),
    }
    number = connection.execute(insert(rule_set).returning(rule_set.c.id), row).scalar_one()
    _write(connection, association_rule, _rule_rows(number, mined.rules))
    _write(connection, related_item, _companion_rows(number, mined.ranking))
    _write(connection, related_item, _seller_rows(number, mined.sellers))
    if good:
        connection.execute(
            update(rule_set).where(rule_set.c.status == RuleSetStatus.PUBLISHED).values(status=RuleSetStatus.REPLACED)
        )
    status = RuleSetStatus.PUBLISHED if good else RuleSetStatus.REFUSED
    connection.execute(update(rule_set).where(rule_set.c.id == number).values(status=status))
    _forget_old(connection)
    return RuleSet(
        number,
        status,
        mined.mined_at,
        len(mined.baskets),
        len(mined.baskets.skus),
        len(mined.rules),
        mined.min_count,
        mined.evaluation,
    )


def lowest_count(pairs: Pairs, most_pairs: int, floor: int) -> int:
    """The smallest count, not below `floor`, that at most `most_pairs` pairs of products reach.

    The number of frequent pairs is what mining costs, and a share that suits one shop drowns the next in rules.
    """
    counts = np.sort(pairs.count[pairs.left < pairs.right])
    if len(counts) <= most_pairs:
        return floor
    return max(floor, int(counts[-most_pairs - 1]) + 1)


def _sellers(connection: Connection, baskets: Baskets) -> dict[str, list[str]]:
    categories: dict[str, str | None] = {
        row.sku: row.category for row in connection.execute(select(product.c.sku, product.c.category))
    }
    sellers: dict[str, list[str]] = {}
    for code in best_sellers(baskets).tolist():
        sku = baskets.skus[code]
        if sku not in categories:
            continue
        _append(sellers, BEST_SELLERS, sku, _LISTED_SELLERS)
        category = categories[sku]
        if category:
            _append(sellers, category_key(category), sku, _LISTED_IN_CATEGORY)
    return sellers


def _append(sellers: dict[str, list[str]], key: str, sku: str, most: int) -> None:
    listed = sellers.setdefault(key, [])
    if len(listed) < most:
        listed.append(sku)


def _rule_rows(number: int, rules: Rules) -> Iterator[dict[str, Any]]:
    for place, rule in enumerate(rules, start=1):
        yield {
            "rule_set_id": number,
            "rule_no": place,
            "antecedent": list(rule.antecedent),
            "consequent": rule.consequent,
            "basket_count": rule.count,
            "support": rule.support,
            "confidence": rule.confidence,
            "lift": rule.lift,
        }


def _companion_rows(number: int, ranking: Ranking) -> Iterator[dict[str, Any]]:
    for sku, companions, scores in zip(ranking.skus, ranking.companion.tolist(), ranking.score.tolist(), strict=True):
        if sku.startswith(BEST_SELLERS):
            continue
        for rank, (companion, score) in enumerate(zip(companions, scores, strict=True), start=1):
            if companion == NOTHING:
                break
            yield _related(number, sku, rank, ranking.skus[companion], score)


def _seller_rows(number: int, sellers: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    for key, skus in sellers.items():
        for rank, sku in enumerate(skus, start=1):
            yield _related(number, key, rank, sku, 1 / rank)


def _related(number: int, sku: str, rank: int, related: str, score: float) -> dict[str, Any]:
    return {"rule_set_id": number, "sku": sku, "rank": rank, "related_sku": related, "score": score}


def _write(connection: Connection, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    for some in batches(list(rows), _ROWS_AT_ONCE):
        connection.execute(insert(table), list(some))


def _forget_old(connection: Connection) -> None:
    """Keep the rules of the set in force, the last one before it and the last one refused; of others the figures."""
    kept = []
    for status in (RuleSetStatus.PUBLISHED, RuleSetStatus.REPLACED, RuleSetStatus.REFUSED):
        newest = select(rule_set.c.id).where(rule_set.c.status == status).order_by(rule_set.c.id.desc()).limit(1)
        kept += list(connection.execute(newest).scalars())
    for table in (association_rule, related_item):
        connection.execute(delete(table).where(table.c.rule_set_id.not_in(kept)))
