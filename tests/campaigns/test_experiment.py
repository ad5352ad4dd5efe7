"""Differences and their intervals, against published and hand-made numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.reporting.experiment import Side, compare, difference_of_means

WEEK = timedelta(days=7)


def side(name: str, totals: list[int]) -> Side:
    """A side whose people spent these totals, one order each where it is not 0."""
    orders = sum(1 for total in totals if total)
    return Side(name, len(totals), orders, orders, orders, sum(totals), sum(total**2 for total in totals))


def test_the_interval_is_welch_s_when_the_numbers_are_small() -> None:
    """Worked by hand: means 4 and 2, variances 4 and 1, five people each: 2 ± 1.96 · sqrt(4/5 + 1/5)."""
    treated, held_out = [2, 2, 4, 6, 6], [1, 1, 2, 3, 3]
    difference, lift = difference_of_means(
        (5, sum(treated), sum(value**2 for value in treated)), (5, sum(held_out), sum(value**2 for value in held_out))
    )
    assert difference.value == pytest.approx(2)
    assert (difference.low, difference.high) == pytest.approx((2 - 1.959964, 2 + 1.959964), abs=1e-5)
    assert lift is not None
    assert lift.value == pytest.approx(1)  # twice as much
    assert lift.low < 1 < lift.high


def test_no_lift_is_told_when_the_held_out_did_nothing() -> None:
    experiment = compare(WEEK, [side("treated", [0, 500, 700])], side("held out", [0, 0, 0]))
    assert experiment.whole is not None
    assert experiment.whole.revenue.lift is None
    assert experiment.whole.revenue.difference.value == pytest.approx(400)


def test_each_variant_stands_beside_the_same_holdout_when_there_are_two() -> None:
    experiment = compare(WEEK, [side("a", [0, 1000, 0]), side("b", [0, 0, 0])], side("held out", [0, 0, 600]))
    assert [comparison.treated.name for comparison in experiment.comparisons] == ["treated", "a", "b"]
    assert experiment.whole is not None
    assert experiment.whole.treated.profile_count == 6
    assert experiment.whole.treated.revenue == 1000


def test_nothing_is_compared_when_a_side_is_empty() -> None:
    experiment = compare(WEEK, [], side("held out", [0, 100]))
    assert (experiment.whole, experiment.comparisons) == (None, ())


def test_the_split_is_called_odd_when_chance_does_not_explain_it() -> None:
    treated, fair, unfair = side("a", [0] * 900), side("held out", [0] * 100), side("held out", [0] * 20)
    assert compare(WEEK, [treated], fair, expected_held_out=100.0).odd_split is None
    odd = compare(WEEK, [treated], unfair, expected_held_out=92.0).odd_split
    assert odd is not None
    assert odd < 1e-9


totals = st.lists(st.integers(0, 10_000), min_size=2, max_size=40)


@given(totals, totals)
def test_the_value_lies_in_its_interval_whatever_people_spent(treated: list[int], held_out: list[int]) -> None:
    experiment = compare(WEEK, [side("treated", treated)], side("held out", held_out))
    assert experiment.whole is not None
    for effect in (experiment.whole.buyers, experiment.whole.orders, experiment.whole.revenue):
        assert effect.difference.low <= effect.difference.value <= effect.difference.high
        if effect.lift is not None:
            assert effect.lift.low - 1e-9 <= effect.lift.value <= effect.lift.high + 1e-9
            assert effect.lift.low >= -1
