"""What the past teaches about coming back: both models fitted, and held against a stretch that they did not see.

Scores are kept only of a model that passed: it must order people better than chance, and what it expected must be of
the size of what came. Whatever stands in the way is a sentence, never an error. No database here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.errors import InputError
from insights.bg_nbd import BgNbdFit, expected_purchases, fit_bg_nbd
from insights.churn import churn_probability
from insights.gamma_gamma import GammaGammaFit, fit_gamma_gamma
from insights.judging import Judgement, judge
from insights.population import Alike, Customers, Population, group

HORIZON_DAYS = 90
LEAST_CUSTOMERS = 50
LEAST_REPEATERS = 20
_SHORTEST_DAYS = 14  # of a holdout
_FAR_OFF = 3.0


class State(StrEnum):
    NO_ORDERS = "no orders"
    NOT_ENOUGH = "not enough data"
    WITHHELD = "withheld"  # the model failed its check
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Holdout:
    """A model fitted on what was before `first_day` (days since 1970-01-01), asked about the `days` from then on."""

    first_day: int
    days: int
    customer_count: int
    expected_purchases: float
    actual_purchases: int
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class Learned:
    """`reasons` say in sentences what is missing or doubtful; models are None where they could not be fitted."""

    state: State
    reasons: list[str]
    alike: Alike | None = None
    bg_nbd: BgNbdFit | None = None
    gamma_gamma: GammaGammaFit | None = None
    holdout: Holdout | None = None


def holdout_days(span: int) -> int:
    """How many of the last days of a history of `span` days are held out; 0 where it is too short."""
    days = min(HORIZON_DAYS, span // 3)
    return days if days >= _SHORTEST_DAYS else 0


def learn(population: Population) -> Learned:
    """Fit and check; whatever the data are, there is an answer."""
    customers = population.customers
    repeaters = int((customers.frequency > 0).sum())
    if not len(customers):
        return Learned(State.NO_ORDERS, ["No order of a known customer counts yet: import orders first."])
    if len(customers) < LEAST_CUSTOMERS or repeaters < LEAST_REPEATERS:
        return Learned(State.NOT_ENOUGH, [_too_few(len(customers), repeaters)])
    alike = group(customers)
    try:
        bg_nbd = fit_bg_nbd(alike.rows)
    except InputError as error:
        return Learned(State.NOT_ENOUGH, [str(error)], alike)
    reasons: list[str] = []
    gamma_gamma = _spend(customers, reasons)
    holdout = check(population, reasons)
    if holdout is None:
        return Learned(State.NOT_ENOUGH, reasons, alike, bg_nbd, gamma_gamma)
    doubt = find_doubt(holdout)
    if doubt is not None:
        return Learned(State.WITHHELD, [*reasons, doubt], alike, bg_nbd, gamma_gamma, holdout)
    if holdout.judgement is not None and holdout.judgement.brier > holdout.judgement.brier_of_share:
        reasons.append(
            "Order people by these chances; do not count by them: everybody's share was nearer to the truth."
        )
    return Learned(State.READY, reasons, alike, bg_nbd, gamma_gamma, holdout)


def check(population: Population, reasons: list[str]) -> Holdout | None:
    """Fit on the earlier part alone and compare; None, with the reason, where that part is too small."""
    earlier, end_day = population.earlier, population.customers.end_day
    days = end_day - earlier.end_day
    repeaters = int((earlier.frequency > 0).sum())
    if days < _SHORTEST_DAYS or len(earlier) < LEAST_CUSTOMERS or repeaters < LEAST_REPEATERS:
        reasons.append("The history is too short to hold a part of it out, so nothing could be checked yet.")
        return None
    alike = group(earlier)
    model, rows, weeks = fit_bg_nbd(alike.rows).model, alike.rows, days / 7
    past = (rows.frequency, rows.recency, rows.age)
    buys = 1 - churn_probability(model, weeks, *past)
    return Holdout(
        earlier.end_day + 1,
        days,
        len(earlier),
        float(rows.weight @ expected_purchases(model, weeks, *past)),
        int(population.afterwards.sum()),
        judge(buys[alike.place], population.afterwards > 0),
    )


def find_doubt(holdout: Holdout) -> str | None:
    """Why the model is not to be believed; None where it passed."""
    judgement = holdout.judgement
    if judgement is None:
        return "In the held-out days everybody came back or nobody did: there is nothing to check a score against."
    if judgement.auc_low <= 0.5:
        return f"In the held-out days the scores did not order people better than chance (AUC {judgement.auc:.2f})."
    ratio = holdout.expected_purchases / max(holdout.actual_purchases, 1)
    if not 1 / _FAR_OFF < ratio < _FAR_OFF:
        return (
            f"In the held-out days {holdout.actual_purchases:,} purchases came, and {holdout.expected_purchases:,.0f} "
            "were expected."
        )
    return None


def _spend(customers: Customers, reasons: list[str]) -> GammaGammaFit | None:
    try:
        return fit_gamma_gamma(customers.frequency.astype(np.float64), customers.spend)
    except InputError as error:
        reasons.append(f"No value in money: {error}")
        return None


def _too_few(customer_count: int, repeaters: int) -> str:
    return (
        f"{customer_count:,} customers have bought, {repeaters:,} of them on several days; it takes {LEAST_CUSTOMERS} "
        f"and {LEAST_REPEATERS} to learn when people come back."
    )
