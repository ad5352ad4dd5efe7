from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from core.database import Database
from core.runtime import Runtime
from customers.tables import product
from recommender.renew import renew_rules
from recommender.rule_report import ToldRule, tell_rule_set, top_rules
from tests.recommender.shop import add_orders, add_products, planted_orders


@pytest.fixture
def shop(database: Database) -> None:
    with database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        connection.execute(update(product).where(product.c.sku == "SOA00").values(name="Lavender|Soap"))


def test_a_marketer_reads_the_rules_in_words_when_they_were_renewed(
    shop: None, runtime: Runtime, golden: Callable[[str, str], None]
) -> None:
    result = renew_rules(runtime)
    with runtime.database.read() as connection:
        golden("recommender/bought_together.md", tell_rule_set(result, top_rules(connection, result.id, 8)))


def test_the_reason_is_told_when_nothing_could_be_published(runtime: Runtime) -> None:
    told = tell_rule_set(renew_rules(runtime), [])
    assert "**Refused**, because only 0 of the latest baskets can be used to judge the new rules" in told
    assert "| rule |" not in told


def test_skus_stand_in_when_products_have_no_name(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        add_orders(connection, planted_orders())
    result = renew_rules(runtime)
    with runtime.database.read() as connection:
        first = top_rules(connection, result.id, 1)[0]
    assert isinstance(first, ToldRule)
    assert first.sentence.startswith("Who buys ")
    assert "SOA" in first.sentence or "TEA" in first.sentence or "GAR" in first.sentence
