"""What was published of the CDNOW sample comes out."""

from __future__ import annotations

import numpy as np
import pytest

from insights.bg_nbd import BgNbd, alive_probability, expected_purchases, fit_bg_nbd
from insights.churn import churn_probability, median_wait
from insights.gamma_gamma import fit_gamma_gamma
from insights.judging import area_under_curve, judge
from insights.population import group
from tests.insights.cdnow import HOLDOUT_WEEKS, cdnow

PUBLISHED = BgNbd(0.243, 4.414, 0.793, 2.426)


def one(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([value])


def test_the_published_parameters_come_out_when_bg_nbd_is_fitted() -> None:
    fit = fit_bg_nbd(group(cdnow().population.earlier).rows)
    assert (fit.model.r, fit.model.alpha, fit.model.a, fit.model.b) == pytest.approx(
        (0.243, 4.414, 0.793, 2.426), abs=6e-4
    )
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert fit.customer_count == 2357
    assert fit.row_count < 2357


def test_the_published_expectation_comes_out_when_one_customer_is_asked_about() -> None:
    fit = fit_bg_nbd(group(cdnow().population.earlier).rows)
    asked = expected_purchases(fit.model, 39, one(2), one(30.43), one(38.86))
    assert asked == pytest.approx(1.226, abs=5e-4)


def test_the_published_parameters_come_out_when_gamma_gamma_is_fitted() -> None:
    customers = cdnow().population.earlier
    fit = fit_gamma_gamma(customers.frequency.astype(float), customers.spend / 100)
    assert fit.customer_count == 946
    assert (fit.model.p, fit.model.q, fit.model.v) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)


def test_cents_are_as_good_as_dollars_when_gamma_gamma_is_fitted() -> None:
    customers = cdnow().population.earlier
    fit = fit_gamma_gamma(customers.frequency.astype(float), customers.spend)
    assert (fit.model.p, fit.model.q, fit.model.v / 100) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)


def test_the_published_holdout_comes_out_when_weeks_40_to_78_are_expected() -> None:
    population = cdnow().population
    alike = group(population.earlier)
    model, rows = fit_bg_nbd(alike.rows).model, alike.rows
    expected = expected_purchases(model, HOLDOUT_WEEKS, rows.frequency, rows.recency, rows.age)
    assert population.afterwards.sum() == 1882
    assert rows.weight @ expected == pytest.approx(1653.4, abs=0.05)


def test_churn_tells_who_stays_away_and_alive_does_not_when_they_are_judged() -> None:
    population = cdnow().population
    alike = group(population.earlier)
    model, rows = fit_bg_nbd(alike.rows).model, alike.rows
    past = (rows.frequency, rows.recency, rows.age)
    churn = churn_probability(model, HOLDOUT_WEEKS, *past)[alike.place]
    alive = alive_probability(model, *past)[alike.place]
    stayed_away = population.afterwards == 0
    judged = judge(churn, stayed_away)
    assert judged is not None
    assert judged.auc == pytest.approx(0.757, abs=5e-4)
    assert judged.brier == pytest.approx(0.161, abs=5e-4)
    assert area_under_curve(1 - alive, stayed_away) == pytest.approx(0.316, abs=5e-4)


def test_the_median_wait_is_the_formula_when_somebody_is_alive() -> None:
    wait = median_wait(PUBLISHED, one(2), one(38.86))
    assert wait == pytest.approx((4.414 + 38.86) * (2 ** (1 / (0.243 + 2)) - 1))
    alive = churn_probability(PUBLISHED, float(wait[0]), one(2), one(38.86), one(38.86))
    still = alive_probability(PUBLISHED, one(2), one(38.86), one(38.86))
    assert 1 - alive == pytest.approx(still / 2)
