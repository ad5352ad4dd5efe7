from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import Connection, select, update

from core.errors import InputError
from customers.tables import product
from recommender.listed_rules import Order, RuleList, Wanted, list_rules, pick
from recommender.published import find_published
from recommender.rule_plot import draw_rules
from recommender.tables import rule_set
from tests.recommender.shop import ALL_SKUS, PLANTED, planted_orders


@pytest.fixture
def listed(shop: Connection) -> RuleList:
    shop.execute(update(product).where(product.c.sku == "SOA00").values(name="=Lavender $oap$"))
    published = find_published(shop)
    assert published is not None
    return list_rules(shop, published)


def test_counts_come_back_exactly_when_a_set_is_listed(listed: RuleList) -> None:
    orders = [set(order.skus) for order in planted_orders()]
    assert listed.basket_count == len(orders)
    for rule in listed.rules:
        left = sum(set(rule.antecedent) <= order for order in orders)
        right = sum(rule.consequent in order for order in orders)
        assert (rule.antecedent_count, rule.consequent_count) == (left, right)
        for figure in (rule.support, rule.confidence, rule.lift):
            assert figure.low < figure.value < figure.high


def test_planted_rules_are_sure_when_all_that_could_have_been_are_counted(listed: RuleList) -> None:
    assert set(listed.possible) == {2, 3}
    assert listed.possible[2] <= len(ALL_SKUS) * (len(ALL_SKUS) - 1)
    sure = {(rule.antecedent, rule.consequent) for rule in pick(listed.rules, Wanted(max_q=0.001))}
    assert {((left,), right) for left, right in PLANTED.items()} <= sure
    for rule in listed.rules:
        assert 0 <= rule.chance <= rule.q_value <= 1


def test_all_products_count_when_the_set_does_not_say_which_were_frequent(shop: Connection) -> None:
    published = find_published(shop)
    assert published is not None
    older = {name: value for name, value in published.parameters.items() if name != "frequent_count"}
    shop.execute(update(rule_set).values(parameters=older))
    listed = list_rules(shop, shop.execute(select(rule_set)).one())
    assert listed.possible[2] == len(ALL_SKUS) * (len(ALL_SKUS) - 1)


def test_only_what_is_wanted_is_picked_when_floors_are_given(listed: RuleList) -> None:
    rules = listed.rules
    by_sku, by_name = (pick(rules, Wanted(product=word)) for word in ("SOA00", "lavender"))
    assert by_sku == by_name
    assert by_sku
    assert all("SOA00" in (*rule.antecedent, rule.consequent) for rule in by_sku)
    assert pick(rules, Wanted(product="Hats")) == []
    for wanted in (Wanted(min_lift=5), Wanted(min_count=40), Wanted(min_confidence=0.7), Wanted(max_q=1e-9)):
        picked = pick(rules, wanted)
        assert 0 < len(picked) < len(rules)
        assert all(rule.lift.value >= wanted.min_lift and rule.basket_count >= wanted.min_count for rule in picked)
        assert all(rule.confidence.value >= wanted.min_confidence for rule in picked)
        assert all(rule.q_value <= wanted.max_q for rule in picked)


def test_the_surest_is_first_when_rules_are_sorted(listed: RuleList) -> None:
    lifts = [rule.lift.value for rule in pick(listed.rules, Wanted(), Order.LIFT)]
    assert lifts == sorted(lifts, reverse=True)
    counts = [rule.basket_count for rule in pick(listed.rules, Wanted(), Order.SUPPORT)]
    assert counts == sorted(counts, reverse=True)
    unlikely = [rule.chance for rule in pick(listed.rules, Wanted(), Order.CHANCE)]
    assert unlikely == sorted(unlikely)
    assert pick(listed.rules, Wanted(), Order.CONFIDENCE) == list(listed.rules)


def test_the_picture_can_be_read_when_rules_are_drawn(listed: RuleList, tmp_path: Path) -> None:
    file = tmp_path / "rules.svg"
    rules = [rule for rule in listed.rules if "SOA00" in (*rule.antecedent, rule.consequent)]
    draw_rules(rules, file, "Bought together")
    words = [element.text or "" for element in ET.parse(file).iter("{http://www.w3.org/2000/svg}text")]
    assert "Bought together" in words
    assert "lift: times chance" in words
    assert any("=Lavender $oap$" in word for word in words)
    before = file.read_bytes()
    draw_rules(rules, file, "Bought together")
    assert file.read_bytes() == before


@pytest.mark.parametrize("count", [1, 3, None])
def test_a_picture_is_drawn_when_there_are_few_or_many_rules(
    listed: RuleList, tmp_path: Path, count: int | None
) -> None:
    file = tmp_path / "rules.png"
    rules = [replace(rule, consequent_name="茶" * 200) for rule in listed.rules[:count]]
    draw_rules(rules, file, "Bought together")
    assert file.read_bytes().startswith(b"\x89PNG")


def test_the_way_out_is_told_when_a_picture_cannot_be_drawn(listed: RuleList, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"let it end in \.svg or \.png"):
        draw_rules(listed.rules, tmp_path / "rules.gif", "Bought together")
    with pytest.raises(InputError, match="no rule to draw"):
        draw_rules([], tmp_path / "rules.svg", "Bought together")
