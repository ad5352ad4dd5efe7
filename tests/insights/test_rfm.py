from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from insights.figures import concentrate
from insights.judging import area_under_curve, judge
from insights.rfm import GROUPS, fifths, group_of


@given(st.lists(st.integers(0, 3), min_size=5, max_size=60))
def test_fifths_are_of_one_size_and_in_order_when_many_are_equal(values: list[int]) -> None:
    ids = np.arange(len(values))[::-1].copy()
    found = fifths(np.array(values), ids)
    sizes = np.bincount(found, minlength=6)[1:]
    assert sizes.max() - sizes.min() <= 1
    order = sorted(range(len(values)), key=lambda place: (values[place], ids[place]))
    assert found[order].tolist() == sorted(found)


def test_everybody_belongs_to_a_group_when_their_fifths_are_known() -> None:
    named = {group_of(last, often) for last in range(1, 6) for often in range(1, 6)}
    assert named == set(GROUPS)
    assert group_of(5, 5) == "champions"
    assert group_of(1, 5) == "must not be lost"


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_the_share_of_pairs_in_order_when_there_are_ties(rows: list[tuple[int, bool]]) -> None:
    happened = np.array([row[1] for row in rows])
    score = np.array([row[0] / 5 for row in rows])
    judged = judge(score, happened)
    if judged is None:
        assert happened.all() or not happened.any()
        return
    pairs = [(yes > no) + 0.5 * (yes == no) for yes in score[happened] for no in score[~happened]]
    assert area_under_curve(score, happened) == judged.auc
    assert abs(judged.auc - sum(pairs) / len(pairs)) < 1e-9
    assert sum(one.count for one in judged.bins) == len(rows)


def test_the_best_tenth_brings_what_it_brings_when_money_is_concentrated() -> None:
    assert concentrate(np.full(10, 5.0)).gini == 0.0
    assert concentrate(np.full(10, 5.0)).top_tenth == 0.1
    one_pays_all = concentrate(np.array([0.0] * 9 + [100.0]))
    assert one_pays_all.top_tenth == 1.0
    assert one_pays_all.gini == 0.9
    assert concentrate(np.zeros(3)).curve == []
