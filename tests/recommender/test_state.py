from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from recommender.parameters import RuleParameters
from recommender.publish import refresh_rules
from recommender.state import STALE_AFTER, RulesState, rules_standing
from tests.recommender.shop import NOW, add_orders, add_products, planted_orders


def test_missing_rules_are_told_when_nothing_was_mined_or_published(connection: Connection) -> None:
    standing = rules_standing(connection, NOW)
    assert standing.state is RulesState.MISSING
    assert "postilion recommend mine" in standing.told
    add_products(connection)
    add_orders(connection, planted_orders(20))
    refresh_rules(connection, NOW)
    standing = rules_standing(connection, NOW)
    assert standing.state is RulesState.MISSING
    assert "30 are needed" in standing.told


def test_rules_grow_old_when_nobody_mines(shop: Connection) -> None:
    assert rules_standing(shop, NOW + STALE_AFTER).state is RulesState.CURRENT
    standing = rules_standing(shop, NOW + STALE_AFTER + timedelta(days=1))
    assert standing.state is RulesState.STALE
    assert "8 days old" in standing.told


def test_the_refusal_is_told_when_the_last_mining_was_worse(shop: Connection) -> None:
    refresh_rules(shop, NOW, RuleParameters(min_together=200))
    standing = rules_standing(shop, NOW)
    assert standing.state is RulesState.CURRENT
    assert standing.refused is not None
    assert standing.refused in standing.told
