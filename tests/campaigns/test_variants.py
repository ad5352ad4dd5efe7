"""Draws are a hash: exact shares, consecutive arms, and the same people each time."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.variants import BUCKETS, choose_arm, holdout_seed, is_held_out, lay_out, variant_seed
from core.ids import bucket

weights = st.lists(st.decimals("0.01", 100, places=2), min_size=1, max_size=6)


@given(weights)
def test_arms_cover_every_bucket_once_when_they_are_laid_out(given_weights: list[Decimal]) -> None:
    arms = lay_out([(str(place), weight) for place, weight in enumerate(given_weights)])
    assert arms[0].start == 0
    assert arms[-1].end == BUCKETS
    assert all(before.end == after.start for before, after in pairwise(arms))
    total = sum(given_weights)
    for arm, weight in zip(arms, given_weights, strict=True):
        assert abs((arm.end - arm.start) - BUCKETS * weight / total) < 1


@given(weights, st.integers(1, 10**12))
def test_everybody_has_one_arm_when_arms_are_drawn(given_weights: list[Decimal], profile_id: int) -> None:
    arms = lay_out([(str(place), weight) for place, weight in enumerate(given_weights)])
    name = choose_arm(arms, variant_seed("summer"), profile_id)
    (arm,) = [one for one in arms if one.name == name]
    assert arm.start <= bucket(variant_seed("summer"), profile_id) < arm.end


def test_bounds_are_rounded_down_when_thirds_are_laid_out() -> None:
    thirds = lay_out([("a", Decimal(1)), ("b", Decimal(1)), ("c", Decimal(1))])
    assert [(arm.start, arm.end) for arm in thirds] == [(0, 3333), (3333, 6666), (6666, 10000)]


def test_weights_of_nothing_are_refused_when_arms_are_laid_out() -> None:
    with pytest.raises(ValueError, match="add up to nothing"):
        lay_out([("a", Decimal(0))])


def test_a_tenth_is_held_out_and_independent_of_the_variant_when_many_are_drawn() -> None:
    arms = lay_out([("a", Decimal(50)), ("b", Decimal(50))])
    people = range(1, 20_001)
    held = [number for number in people if is_held_out("summer", Decimal(10), number)]
    assert 1_850 < len(held) < 2_150
    split = Counter(choose_arm(arms, variant_seed("summer"), number) for number in held)
    assert abs(split["a"] - split["b"]) < 200
    assert holdout_seed("summer") != variant_seed("summer")


def test_nobody_is_held_out_when_the_holdout_is_nothing() -> None:
    assert not any(is_held_out("summer", Decimal(0), number) for number in range(1, 2_000))
