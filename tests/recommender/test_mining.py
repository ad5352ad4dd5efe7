from __future__ import annotations

import os
from functools import cache
from itertools import combinations
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.baskets import Baskets, baskets_of
from recommender.mining.choice import find_itemsets, mine
from recommender.rules import Floors, Rule, Rules, derive_rules

GROCERIES = Path(__file__).resolve().parents[3] / "shared" / "data" / "groceries.csv"
EVERYTHING = Floors(confidence=0.0, lift=0.0, count=1)
shops = st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), min_size=1, max_size=14)


@cache
def groceries() -> Baskets:
    if not GROCERIES.exists():
        reason = "the Groceries baskets are not on this machine (../shared/data/groceries.csv)"
        pytest.fail(reason, pytrace=False) if os.environ.get("CI") else pytest.skip(reason)
    lines = GROCERIES.read_text(encoding="utf-8").splitlines()
    return baskets_of((0, line.split(",")) for line in lines)


def mined_rules(baskets: Baskets, support: float, confidence: float) -> Rules:
    itemsets = find_itemsets(baskets, ceil(support * len(baskets)))
    return derive_rules(itemsets, Floors(confidence, lift=0.0, count=1))


def find_rule(rules: Rules, antecedent: str, consequent: str) -> Rule:
    return next(rule for rule in rules if rule.antecedent == (antecedent,) and rule.consequent == consequent)


def test_the_data_are_the_published_ones_when_groceries_is_read() -> None:
    baskets = groceries()
    assert (len(baskets), len(baskets.skus)) == (9835, 169)
    assert len(baskets.items) / (9835 * 169) == pytest.approx(0.02609146, abs=1e-8)


def test_the_published_rules_come_out_when_groceries_is_mined_at_six_per_mille() -> None:
    rules = mined_rules(groceries(), 0.006, 0.25)
    assert len(rules) == 463
    assert np.bincount(rules.lengths()).tolist() == [0, 0, 150, 297, 16]
    herbs = find_rule(rules, "herbs", "root vegetables")
    assert herbs.support == pytest.approx(0.0070158, abs=5e-8)
    assert herbs.confidence == pytest.approx(0.43125)
    assert herbs.lift == pytest.approx(3.956477, abs=5e-7)
    assert find_rule(rules, "berries", "whipped/sour cream").lift == pytest.approx(3.796886, abs=5e-7)


def test_the_published_rules_come_out_when_groceries_is_mined_at_one_per_mille() -> None:
    assert len(mined_rules(groceries(), 0.001, 0.8)) == 410


def counted(orders: list[list[str]], names: tuple[str, ...]) -> int:
    return sum(set(names) <= set(order) for order in orders)


@settings(max_examples=40)
@given(shops, st.integers(1, 3), st.integers(1, 4))
def test_exactly_the_frequent_sets_are_found_when_baskets_are_small(
    orders: list[list[str]], min_count: int, max_length: int
) -> None:
    frame = mine(baskets_of((0, order) for order in orders), min_count, max_length)
    found = {tuple(sorted(names)): share for names, share in zip(frame["itemsets"], frame["support"], strict=True)}
    expected = {
        names: counted(orders, names) / len(orders)
        for length in range(1, max_length + 1)
        for names in combinations("abcdef", length)
        if counted(orders, names) >= min_count
    }
    assert found == pytest.approx(expected)
    assert list(found) == sorted(found, key=lambda names: (len(names), names))


@settings(max_examples=40)
@given(shops)
def test_every_figure_of_a_rule_is_a_count_when_rules_are_derived(orders: list[list[str]]) -> None:
    baskets = baskets_of((0, order) for order in orders)
    rules = list(derive_rules(find_itemsets(baskets, 1), EVERYTHING))
    held = {names for order in orders for k in range(2, 6) for names in combinations(sorted(set(order)), k)}
    assert len(rules) == sum(len(names) for names in held)
    for rule in rules:
        sides = ((*rule.antecedent, rule.consequent), rule.antecedent, (rule.consequent,))
        both, left, right = (counted(orders, names) for names in sides)
        assert rule.count == both
        assert rule.support == pytest.approx(both / len(orders))
        assert rule.confidence == pytest.approx(both / left)
        assert rule.lift == pytest.approx(both / left * len(orders) / right)


def test_the_most_confident_rule_is_first_when_rules_are_ordered() -> None:
    orders = [["a", "b"], ["a", "b"], ["a", "b", "c"], ["c"], ["b"]]
    baskets = baskets_of((0, order) for order in orders)
    rules = derive_rules(find_itemsets(baskets, 1), EVERYTHING)
    assert rules.confidence.tolist() == sorted(rules.confidence, reverse=True)
    assert next(iter(rules)).antecedent == ("a",)


def test_there_are_no_rules_when_there_are_no_baskets() -> None:
    empty = baskets_of([])
    assert len(derive_rules(find_itemsets(empty, 1), EVERYTHING)) == 0


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        (Floors(0.0, 1.0, 1), {("a", "b"), ("b", "a")}),
        (Floors(0.0, 0.0, 3), set()),
        (Floors(0.9, 0.0, 1), {("a", "b")}),
    ],
)
def test_a_rule_is_left_out_when_it_does_not_reach_a_floor(floors: Floors, expected: set[tuple[str, str]]) -> None:
    orders = [["a", "b"], ["a", "b"], ["b", "c"], ["c"], ["c"]]
    baskets = baskets_of((0, order) for order in orders)
    rules = derive_rules(find_itemsets(baskets, 1), floors)
    assert {(rule.antecedent[0], rule.consequent) for rule in rules} == expected
