from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select

from core.database import Database
from recommender.baskets import baskets_of
from recommender.parameters import RuleParameters
from recommender.publish import lowest_count, mine_rules, publish_rules, refresh_rules
from recommender.published import RuleSetStatus, get_index
from recommender.ranking import count_pairs
from recommender.tables import association_rule, related_item, rule_set
from tests.recommender.shop import NOW, PLANTED, add_orders, add_products, planted_orders


def statuses(connection: Connection) -> list[str]:
    return list(connection.execute(select(rule_set.c.status).order_by(rule_set.c.id)).scalars())


def test_the_planted_rules_stand_in_the_database_when_a_shop_is_mined(shop: Connection) -> None:
    rules = shop.execute(select(association_rule).order_by(association_rule.c.rule_no)).all()
    strongest = {(tuple(rule.antecedent), rule.consequent) for rule in rules if rule.confidence > 0.7}
    assert {((left,), right) for left, right in PLANTED.items()} <= strongest
    for rule in rules:
        assert rule.lift > 1
        assert rule.basket_count >= 5
    first = shop.execute(
        select(related_item.c.related_sku).where(related_item.c.sku == "SOA00", related_item.c.rank == 1)
    )
    assert first.scalar_one() == PLANTED["SOA00"]


def test_a_rule_set_says_how_it_was_judged_when_it_is_published(connection: Connection) -> None:
    add_products(connection)
    add_orders(connection, planted_orders())
    result = refresh_rules(connection, NOW)
    assert result.status is RuleSetStatus.PUBLISHED
    assert (result.basket_count, result.item_count) == (1500, 120)
    assert result.rule_count == connection.execute(select(func.count()).select_from(association_rule)).scalar_one()
    evaluation = result.evaluation
    assert evaluation.hit_rate is not None
    assert evaluation.best_sellers is not None
    assert evaluation.hit_rate > evaluation.best_sellers
    assert evaluation.verdict.startswith(f"the new rules complete {evaluation.hit_rate:.1%} of ")
    stored = connection.execute(select(rule_set)).one()
    assert stored.evaluation["question_count"] == evaluation.question_count
    assert stored.parameters["used_min_count"] == result.min_count


def test_nothing_is_published_when_there_are_too_few_baskets_to_judge(connection: Connection) -> None:
    add_products(connection)
    add_orders(connection, planted_orders(20))
    result = refresh_rules(connection, NOW)
    assert result.status is RuleSetStatus.REFUSED
    assert "30 are needed" in result.evaluation.verdict
    index = get_index(connection)
    assert index.rule_set_id is None
    assert index.best_sellers()


def test_nothing_fails_when_nothing_was_ever_ordered(connection: Connection) -> None:
    result = refresh_rules(connection, NOW)
    assert result.status is RuleSetStatus.REFUSED
    assert (result.basket_count, result.item_count, result.rule_count) == (0, 0, 0)


def test_the_newer_set_is_in_force_when_it_is_as_good(shop: Connection) -> None:
    result = refresh_rules(shop, NOW)
    assert result.is_published
    assert result.evaluation.replaced == result.evaluation.hit_rate
    assert statuses(shop) == ["replaced", "published"]
    assert get_index(shop).rule_set_id == result.id


def test_the_set_in_force_stays_when_the_new_one_is_worse(shop: Connection) -> None:
    in_force = get_index(shop).rule_set_id
    result = refresh_rules(shop, NOW, RuleParameters(min_together=200))
    assert result.status is RuleSetStatus.REFUSED
    assert result.evaluation.verdict.startswith("the rules in force complete ")
    assert statuses(shop) == ["published", "refused"]
    assert get_index(shop).rule_set_id == in_force


def test_the_set_in_force_answers_from_its_own_index_when_enough_came_after_it(connection: Connection) -> None:
    add_products(connection)
    orders = planted_orders()
    add_orders(connection, orders)
    middle = NOW - timedelta(hours=300)
    assert refresh_rules(connection, middle).is_published
    result = refresh_rules(connection, NOW)
    assert result.is_published
    assert result.evaluation.replaced is not None
    assert result.evaluation.replaced > 0.25


def test_only_figures_are_left_of_a_set_when_it_was_replaced_twice(shop: Connection) -> None:
    refresh_rules(shop, NOW)
    refresh_rules(shop, NOW)
    kept = set(shop.execute(select(related_item.c.rule_set_id).distinct()).scalars())
    assert statuses(shop) == ["replaced", "replaced", "published"]
    assert len(kept) == 2


def test_readers_keep_the_old_set_when_publishing_is_undone(database: Database) -> None:
    with database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        first = refresh_rules(connection, NOW)
        mined = mine_rules(connection, NOW, RuleParameters())

    def fail_while_publishing() -> None:
        with database.transaction() as connection:
            publish_rules(connection, mined)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_while_publishing()
    with database.read() as connection:
        assert statuses(connection) == ["published"]
        assert get_index(connection).rule_set_id == first.id


def test_a_process_sees_the_new_set_when_another_one_published(database: Database) -> None:
    with database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        first = refresh_rules(connection, NOW)
        assert get_index(connection) is get_index(connection)
    other = Database(database.url.render_as_string(hide_password=False))
    with other.transaction() as connection:
        second = refresh_rules(connection, NOW)
    other.close()
    with database.read() as connection:
        assert get_index(connection).rule_set_id == second.id != first.id


def test_best_sellers_stand_by_category_when_a_set_is_published(shop: Connection) -> None:
    index = get_index(shop)
    assert len(index.best_sellers()) == 120
    assert {sku[:3] for sku in index.best_sellers("Tea")} == {"TEA"}
    assert index.best_sellers("Hats") == ()
    assert not any(sku.startswith("*") for sku in index.positions)


def test_the_floor_rises_when_too_many_pairs_are_frequent() -> None:
    orders = [["a", "b"]] * 9 + [["c", "d"]] * 7 + [["e", "f"]] * 7 + [["g", "h"]] * 2
    pairs = count_pairs(baskets_of((0, order) for order in orders))
    assert lowest_count(pairs, most_pairs=10, floor=2) == 2
    assert lowest_count(pairs, most_pairs=3, floor=2) == 3
    assert lowest_count(pairs, most_pairs=2, floor=2) == 8
    assert lowest_count(pairs, most_pairs=2, floor=9) == 9


def test_orders_after_the_window_do_not_count_when_one_is_set(connection: Connection) -> None:
    add_products(connection)
    add_orders(connection, planted_orders(100))
    mined = mine_rules(connection, NOW, replace(RuleParameters(), window_days=1))
    assert len(mined.baskets) == 24
