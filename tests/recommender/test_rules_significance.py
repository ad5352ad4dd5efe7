from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.significance import adjusted, chances, lift_intervals, possible_rules, share_intervals


def fisher(count: int, left: int, right: int, baskets: int) -> float:
    """The tail, term by term in whole numbers."""
    ways = range(count, min(left, right) + 1)
    return sum(comb(left, both) * comb(baskets - left, right - both) for both in ways) / comb(baskets, right)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    baskets = draw(st.integers(2, 60))
    left, right = draw(st.integers(1, baskets)), draw(st.integers(1, baskets))
    return draw(st.integers(max(left + right - baskets, 1), min(left, right))), left, right, baskets


@given(tables())
def test_the_chance_is_fishers_tail_when_it_is_counted_out(table: tuple[int, int, int, int]) -> None:
    count, left, right, baskets = table
    (found,) = chances(np.array([count]), np.array([left]), np.array([right]), baskets).tolist()
    assert found == pytest.approx(fisher(*table))


def test_the_chance_is_that_of_the_lady_tasting_tea_when_she_finds_all_four() -> None:
    assert chances(np.array([4]), np.array([4]), np.array([4]), 8).tolist() == pytest.approx([1 / 70])


def test_the_chance_is_nought_and_no_warning_when_it_is_below_the_smallest_number() -> None:
    assert chances(np.array([9_000]), np.array([10_000]), np.array([10_000]), 10**8).tolist() == [0.0]


def test_the_published_interval_comes_out_when_a_share_is_small() -> None:
    # 81 of 263 and 0 of 20 by the score method: Newcombe (1998), table I.
    found = share_intervals(np.array([81, 0]), np.array([263, 20]))
    assert found.low.tolist() == pytest.approx([0.2553, 0.0], abs=5e-5)
    assert found.high.tolist() == pytest.approx([0.3662, 0.1611], abs=5e-5)


@pytest.mark.parametrize(("left", "right", "both"), [(0.05, 0.04, 0.01), (0.3, 0.2, 0.05), (0.01, 0.01, 0.004)])
def test_the_interval_holds_the_lift_in_95_of_100_shops_when_they_are_drawn(
    left: float, right: float, both: float
) -> None:
    cells = np.random.default_rng(1).multinomial(
        5_000, [both, left - both, right - both, 1 - left - right + both], 4_000
    )
    count = cells[:, 0]
    found = lift_intervals(count, count + cells[:, 1], count + cells[:, 2], 5_000)
    lift = both / left / right
    assert ((found.low <= lift) & (lift <= found.high)).mean() == pytest.approx(0.95, abs=0.01)


def test_the_interval_is_a_point_when_every_basket_holds_the_rule() -> None:
    found = lift_intervals(np.array([7]), np.array([7]), np.array([7]), 7)
    assert (found.low.tolist(), found.high.tolist()) == ([1.0], [1.0])


def test_every_rule_that_could_be_formed_counts_when_rules_are_corrected() -> None:
    assert possible_rules(5, 3) == {2: 5 * 4, 3: 5 * 4 * 3 // 2}
    assert possible_rules(2, 9) == {2: 2}
    assert possible_rules(1, 3) == {}


def test_the_published_decisions_come_out_when_all_rules_are_of_one_length() -> None:
    # The fifteen values of Benjamini and Hochberg (1995): four are kept at 0.05.
    given = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1,
    ]
    order = np.random.default_rng(1).permutation(len(given))
    found = adjusted(np.array(given)[order], np.full(len(given), 2), {2: len(given)})
    assert sorted(found.tolist()) == found[np.argsort(order)].tolist()
    assert (found <= 0.05).sum() == 4
    assert found[np.argsort(order)][3] == pytest.approx(0.0095 * 15 / 4)


def test_accidents_are_rare_among_the_kept_when_rules_of_both_lengths_are_drawn() -> None:
    chance = np.random.default_rng(2)
    possible = {2: 400, 3: 4_000}
    lengths = np.repeat([2, 3], [400, 4_000])
    wrong = []
    for _ in range(200):
        values = chance.random(len(lengths))
        real = np.zeros(len(lengths), dtype=bool)
        real[:40] = real[400:440] = True
        values[real] *= 1e-6
        kept = adjusted(values, lengths, possible) <= 0.1
        assert kept[real].mean() > 0.95
        wrong.append((kept & ~real).sum() / max(kept.sum(), 1))
    assert np.mean(wrong) <= 0.1
