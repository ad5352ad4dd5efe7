from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.baskets import baskets_of
from recommender.mining.choice import find_itemsets
from recommender.rules import Floors, Rule, Rules, derive_rules
from tests.recommender.groceries import frequent_groceries

EVERYTHING = Floors(confidence=0.0, lift=0.0, count=1)
shops = st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), min_size=1, max_size=14)


def mined(orders: list[list[str]], floors: Floors = EVERYTHING) -> Rules:
    return derive_rules(find_itemsets(baskets_of((0, order) for order in orders), 1), floors)


def groceries_rules(support: float, confidence: float) -> Rules:
    return derive_rules(frequent_groceries(support), Floors(confidence, lift=0.0, count=1))


def find_rule(rules: Rules, antecedent: str, consequent: str) -> Rule:
    return next(rule for rule in rules if rule.antecedent == (antecedent,) and rule.consequent == consequent)


def counted(orders: list[list[str]], names: tuple[str, ...]) -> int:
    return sum(set(names) <= set(order) for order in orders)


def test_the_published_rules_come_out_when_groceries_is_mined_at_six_per_mille() -> None:
    rules = groceries_rules(0.006, 0.25)
    assert len(rules) == 463
    assert np.bincount(rules.lengths()).tolist() == [0, 0, 150, 297, 16]
    herbs = find_rule(rules, "herbs", "root vegetables")
    assert herbs.support == pytest.approx(0.0070158, abs=5e-8)
    assert herbs.confidence == pytest.approx(0.43125)
    assert herbs.lift == pytest.approx(3.956477, abs=5e-7)
    assert find_rule(rules, "berries", "whipped/sour cream").lift == pytest.approx(3.796886, abs=5e-7)


def test_the_published_rules_come_out_when_groceries_is_mined_at_one_per_mille() -> None:
    assert len(groceries_rules(0.001, 0.8)) == 410


@settings(max_examples=40)
@given(shops)
def test_every_figure_of_a_rule_is_a_count_when_rules_are_derived(orders: list[list[str]]) -> None:
    rules = list(mined(orders))
    held = {names for order in orders for k in range(2, 6) for names in combinations(sorted(set(order)), k)}
    assert len(rules) == sum(len(names) for names in held)
    for rule in rules:
        sides = ((*rule.antecedent, rule.consequent), rule.antecedent, (rule.consequent,))
        both, left, right = (counted(orders, names) for names in sides)
        assert (rule.count, rule.antecedent_count, rule.consequent_count) == (both, left, right)
        assert rule.support == pytest.approx(both / len(orders))
        assert rule.confidence == pytest.approx(both / left)
        assert rule.lift == pytest.approx(both / left * len(orders) / right)


def test_the_most_confident_rule_is_first_when_rules_are_ordered() -> None:
    rules = mined([["a", "b"], ["a", "b"], ["a", "b", "c"], ["c"], ["b"]])
    assert rules.confidence.tolist() == sorted(rules.confidence, reverse=True)
    assert next(iter(rules)).antecedent == ("a",)


@pytest.mark.parametrize("orders", [[], [[]], [["a"], ["a"]], [["a"], ["b"]]])
def test_there_are_no_rules_when_nothing_lies_together(orders: list[list[str]]) -> None:
    assert len(mined(orders)) == 0


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        (Floors(0.0, 1.0, 1), {("a", "b"), ("b", "a")}),
        (Floors(0.0, 0.0, 3), set()),
        (Floors(0.9, 0.0, 1), {("a", "b")}),
    ],
)
def test_a_rule_is_left_out_when_it_does_not_reach_a_floor(floors: Floors, expected: set[tuple[str, str]]) -> None:
    rules = mined([["a", "b"], ["a", "b"], ["b", "c"], ["c"], ["c"]], floors)
    assert {(rule.antecedent[0], rule.consequent) for rule in rules} == expected
