"""The laws of both models, wherever their parameters lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad  # type: ignore[import-untyped]  # scipy carries no types
from scipy.special import hyp2f1  # type: ignore[import-untyped]  # scipy carries no types

from core.errors import InputError
from insights import bg_nbd, gamma_gamma
from insights.bg_nbd import BgNbd, Rows, alive_probability, expected_purchases, fit_bg_nbd
from insights.churn import churn_probability, median_wait
from insights.gamma_gamma import GammaGamma, expected_spend, fit_gamma_gamma
from insights.lifetime import Worth, discounted_purchases, value_range

shapes = st.floats(0.02, 50)
models = st.builds(BgNbd, shapes, st.floats(0.05, 500), shapes, st.floats(0.02, 1000))
spends = st.builds(GammaGamma, st.floats(0.5, 20), st.floats(1.5, 20), st.floats(1, 1e5))


@st.composite
def pasts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ages = draw(st.lists(st.floats(1, 300), min_size=1, max_size=6))
    counts = [float(draw(st.integers(0, 400))) for _ in ages]
    last = [age * draw(st.floats(0.01, 1)) if count else 0.0 for age, count in zip(ages, counts, strict=True)]
    return np.array(counts), np.array(last), np.array(ages)


@given(models, pasts(), st.floats(0.5, 200))
def test_chances_are_chances_when_anybody_is_asked_about(model: BgNbd, past: tuple, weeks: float) -> None:  # type: ignore[type-arg]  # of arrays
    alive = alive_probability(model, *past)
    churn = churn_probability(model, weeks, *past)
    buys = expected_purchases(model, weeks, *past)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((churn >= 0) & (churn <= 1)).all()
    assert (alive[past[0] == 0] == 1).all()
    assert np.isfinite(buys).all()
    # Whoever buys at all buys at least once: Markov's inequality.
    assert (buys >= 1 - churn - 1e-9).all()
    assert np.isfinite(median_wait(model, past[0], past[2])).all()


@given(models, pasts(), st.floats(0.5, 100))
def test_more_is_expected_and_less_churn_when_the_horizon_is_longer(model: BgNbd, past: tuple, weeks: float) -> None:  # type: ignore[type-arg]  # of arrays
    sooner, later = (expected_purchases(model, some, *past) for some in (weeks, 2 * weeks))
    assert (later >= sooner * (1 - 1e-9)).all()
    assert (later <= 2 * sooner * (1 + 1e-6)).all()
    assert (churn_probability(model, 2 * weeks, *past) <= churn_probability(model, weeks, *past) + 1e-12).all()


@pytest.mark.parametrize("model", [BgNbd(0.243, 4.414, 0.793, 2.426), BgNbd(2, 20, 3, 30), BgNbd(0.3, 0.5, 0.2, 1.5)])
@pytest.mark.parametrize("weeks", [1, 13, 104])
def test_the_quadrature_is_the_published_formula_when_that_can_be_computed(model: BgNbd, weeks: float) -> None:
    x, recency, age = np.array([0.0, 2.0, 7.0, 30.0]), np.array([0.0, 30.0, 12.0, 51.0]), np.array([9.0, 38.0, 52, 52])
    shrink = (model.alpha + age) / (model.alpha + age + weeks)
    top = model.a + model.b + x - 1
    series = hyp2f1(model.r + x, model.b + x, top, 1 - shrink)
    formula = top / (model.a - 1) * (1 - shrink ** (model.r + x) * series) * alive_probability(model, x, recency, age)
    assert expected_purchases(model, weeks, x, recency, age) == pytest.approx(formula, rel=1e-8)


def drawn(count: int, seed: int = 1) -> tuple[Rows, BgNbd]:
    truth, chance = BgNbd(0.8, 6.0, 0.9, 3.0), np.random.default_rng(seed)
    x, recency, age = np.zeros(count), np.zeros(count), chance.uniform(10, 120, count)
    for place in range(count):
        rate, leaving, clock = chance.gamma(truth.r, 1 / truth.alpha), chance.beta(truth.a, truth.b), 0.0
        while True:
            clock += chance.exponential(1 / rate)
            if clock > age[place]:
                break
            x[place], recency[place] = x[place] + 1, clock
            if chance.random() < leaving:
                break
    return Rows(x, recency, age, np.ones(count)), truth


def test_the_truth_comes_out_when_purchases_were_drawn_from_the_model() -> None:
    rows, truth = drawn(12_000)
    found = fit_bg_nbd(rows).model
    assert found.r == pytest.approx(truth.r, rel=0.1)
    assert found.alpha == pytest.approx(truth.alpha, rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)


def test_the_fit_is_the_same_when_customers_are_grouped_and_when_it_is_done_again() -> None:
    rows, _truth = drawn(300)
    doubled = [np.concatenate([column, column]) for column in (rows.frequency, rows.recency, rows.age, rows.weight)]
    twice = Rows(doubled[0], doubled[1], doubled[2], doubled[3])
    weighted = Rows(rows.frequency, rows.recency, rows.age, np.full(300, 2.0))
    assert fit_bg_nbd(weighted) == fit_bg_nbd(weighted)
    one, other = fit_bg_nbd(weighted), fit_bg_nbd(twice)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-9)
    assert one.model.r == pytest.approx(other.model.r, rel=1e-3)


def test_gradients_are_those_of_the_likelihoods_when_they_are_compared_with_differences() -> None:
    rows, _truth = drawn(400)
    of_counts = bg_nbd._Likelihood(rows)
    at = np.log([0.5, 3.0, 0.7, 2.0])
    assert check_grad(lambda logs: of_counts(logs)[0], lambda logs: of_counts(logs)[1], at) < 1e-5
    of_money = gamma_gamma._Likelihood(np.array([1.0, 2, 5, 9]), np.array([0.7, 1.4, 0.9, 1.1]))
    at = np.log([2.0, 3.0, 1.5])
    assert check_grad(lambda logs: of_money(logs)[0], lambda logs: of_money(logs)[1], at) < 1e-5


def test_fitting_refuses_in_a_sentence_when_nobody_came_back_or_nobody_is_there() -> None:
    ones = np.ones(3)
    with pytest.raises(InputError, match="nobody has bought on a second day"):
        fit_bg_nbd(Rows(0 * ones, 0 * ones, ones, ones))
    with pytest.raises(InputError, match="nobody to learn from"):
        Rows(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))
    with pytest.raises(InputError, match="after the end of the data"):
        Rows(ones, 2 * ones, ones, ones)
    with pytest.raises(InputError, match="it takes 20"):
        fit_gamma_gamma(ones, ones)
    with pytest.raises(InputError, match="spends the same"):
        fit_gamma_gamma(np.ones(40), np.full(40, 999.0))


@given(spends, st.floats(1, 1e6))
def test_own_spending_counts_more_when_there_is_more_of_it(model: GammaGamma, spend: float) -> None:
    x = np.array([0.0, 1.0, 10.0, 1000.0])
    expected = expected_spend(model, x, np.full(4, spend))
    assert expected[0] == pytest.approx(model.mean)
    distances = np.abs(expected - spend)
    assert (np.diff(distances) <= 1e-6 * max(spend, model.mean)).all()


@settings(max_examples=20)
@given(st.integers(0, 12), st.floats(1, 50), st.floats(0.1, 1), st.integers(1, 10**9))
def test_a_value_lies_where_futures_lie_when_one_person_is_simulated(
    count: int, quiet: float, margin: float, seed: int
) -> None:
    model, spend = BgNbd(0.8, 6.0, 0.9, 3.0), GammaGamma(6.25, 3.74, 1544.0)
    recency = 30.0 if count else 0.0
    who = {"frequency": float(count), "recency": recency, "age": recency + quiet, "spend": 2000.0, "seed": seed}
    ranges = value_range(model, spend, Worth(margin), **who)  # type: ignore[arg-type]  # the seed is a whole number
    assert ranges == value_range(model, spend, Worth(margin), **who)  # type: ignore[arg-type]  # as above
    past = tuple(np.array([who[name]]) for name in ("frequency", "recency", "age"))
    coming = discounted_purchases(model, Worth(margin), *past)
    value = margin * float((coming * expected_spend(spend, past[0], np.array([2000.0])))[0])
    assert 0 <= ranges.low <= ranges.high
    assert ranges.low <= value
    assert value <= ranges.high or ranges.high == 0


def test_a_purchase_is_worth_less_when_it_lies_further_off() -> None:
    model, past = BgNbd(0.8, 6.0, 0.9, 3.0), (np.array([4.0]), np.array([40.0]), np.array([42.0]))
    plain = expected_purchases(model, 365 / 7, *past)
    assert discounted_purchases(model, Worth(1.0, 0.0), *past) == pytest.approx(plain)
    assert plain / 1.1 < discounted_purchases(model, Worth(1.0, 0.1), *past) < plain
