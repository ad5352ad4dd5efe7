from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from recommender.choice import Candidate, Level, choose, deepest

EVERYTHING = [f"{category}{number}" for category in "xyz" for number in range(4)]
skus = st.lists(st.sampled_from(EVERYTHING), max_size=14)


def chosen(count: int, first: Sequence[str], rest: Sequence[str], allowed: set[str], cap: int | None) -> list[str]:
    candidates = [Candidate(sku, Level.RULES) for sku in first]
    return [
        one.sku
        for one in choose(
            count,
            candidates,
            lambda: [Candidate(sku, Level.CATALOGUE) for sku in rest],
            is_allowed=allowed.__contains__,
            category_of=lambda sku: sku[0],
            per_category=cap,
        )
    ]


@given(
    st.integers(1, 6),
    skus,
    skus,
    st.sets(st.sampled_from(EVERYTHING)),
    st.none() | st.integers(1, 3),
)
def test_places_stay_empty_only_when_the_catalogue_is_exhausted(
    count: int, first: list[str], rest: list[str], allowed: set[str], cap: int | None
) -> None:
    taken = chosen(count, first, rest, allowed, cap)
    assert len(taken) == min(count, len(allowed & {*first, *rest}))
    assert len(set(taken)) == len(taken)
    assert set(taken) <= allowed


def test_another_category_comes_first_when_one_has_its_share() -> None:
    everything = {"x0", "x1", "x2", "y0", "z0"}
    assert chosen(3, ["x0", "x1", "x2", "y0"], ["z0"], everything, 1) == ["x0", "y0", "x1"]
    assert chosen(3, ["x0", "x1", "x2", "y0"], ["z0"], everything, 2) == ["x0", "x1", "y0"]
    assert chosen(3, ["x0", "x1", "x2", "y0"], ["z0"], everything, None) == ["x0", "x1", "x2"]


def test_the_furthest_level_is_told_when_several_were_needed() -> None:
    assert deepest([Level.RULES, Level.BESTSELLERS, Level.CATEGORY]) is Level.BESTSELLERS
    assert deepest([]) is Level.NONE
