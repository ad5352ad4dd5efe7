"""How likely somebody who never bought is to buy soon: a logistic regression on what they did.

Learned at one past day, corrected and judged at a later one on people it did not see, and asked today. Without enough
first purchases it says so and scores nobody. No database here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from insights.judging import Judgement, judge
from insights.lead_features import FEATURES, Leads

Floats = NDArray[np.float64]

LEAD = "lead_30d"
LEAD_WORDS = "the chance of a first purchase in the next 30 days, for who never bought"
HORIZON = timedelta(days=30)
LEAST_POSITIVES = 50
_RIDGE = 1.0
_STEPS = 50
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class LeadModel:
    """The log-odds are `level + weights @ (values - center) / spread`, then corrected to `slope * odds + shift`."""

    level: float
    weights: tuple[float, ...]
    center: tuple[float, ...]
    spread: tuple[float, ...]
    slope: float = 1.0
    shift: float = 0.0

    def log_odds(self, values: Floats) -> Floats:
        standard = (values - np.array(self.center)) / np.array(self.spread)
        return np.asarray(self.slope * (self.level + standard @ np.array(self.weights)) + self.shift)

    def probability(self, values: Floats) -> Floats:
        return _share(self.log_odds(values))

    def reasons(self, values: Floats) -> list[tuple[str, float]]:
        """What speaks most for or against one person, in log-odds against everybody's average."""
        parts = self.slope * np.array(self.weights) * (values - np.array(self.center)) / np.array(self.spread)
        return sorted(zip(FEATURES, parts.tolist(), strict=True), key=lambda part: (-abs(part[1]), part[0]))


@dataclass(frozen=True, slots=True)
class LeadFit:
    """`model` is None where it may not be used; `reason` says why."""

    lead_count: int
    learned_from: int
    first_purchases: int
    reason: str
    model: LeadModel | None = None
    judgement: Judgement | None = None


def fit_leads(past: Leads, later: Leads, lead_count: int) -> LeadFit:
    """Learn from `past`; half of `later` corrects, the other half judges."""
    positives = int(past.bought.sum()), int(later.bought.sum())
    if min(positives) < LEAST_POSITIVES:
        reason = (
            f"Not enough data: {positives[0]:,} and {positives[1]:,} people bought for the first time in the two past "
            f"stretches of {HORIZON.days} days, and it takes {LEAST_POSITIVES} in each."
        )
        return LeadFit(lead_count, len(past.ids), positives[0], reason)
    center = past.values.mean(axis=0)
    spread = np.where(past.values.std(axis=0) > _CLOSE, past.values.std(axis=0), 1.0)
    coefficients = _regress((past.values - center) / spread, past.bought)
    plain = LeadModel(coefficients[0], _plain(coefficients[1:]), _plain(center), _plain(spread))
    is_judge = _half(later)
    shift, slope = _regress(plain.log_odds(later.values[~is_judge])[:, None], later.bought[~is_judge])
    model = LeadModel(plain.level, plain.weights, plain.center, plain.spread, max(float(slope), 0.0), float(shift))
    judgement = judge(model.probability(later.values[is_judge]), later.bought[is_judge])
    counted = lead_count, len(past.ids), positives[0]
    if judgement is None or judgement.auc_low <= 0.5:
        return LeadFit(*counted, "Withheld: on people it had not seen it was no better than chance.", None, judgement)
    return LeadFit(*counted, "Used.", model, judgement)


def _regress(values: Floats, happened: NDArray[np.bool_]) -> Floats:
    """Level and weights by Newton's method, with a little ridge on the weights so that nothing runs away."""
    design = np.column_stack([np.ones(len(values)), values])
    ridge = np.full(design.shape[1], _RIDGE)
    ridge[0] = 0.0
    share = (happened.sum() + 0.5) / (len(happened) + 1)
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(share / (1 - share))
    for _ in range(_STEPS):
        chance = _share(design @ weights)
        slope = design.T @ (happened - chance) - ridge * weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(ridge + _CLOSE)
        step = np.clip(np.linalg.solve(curve, slope), -4.0, 4.0)
        weights += step
        if np.abs(step).max() < _CLOSE:
            break
    return weights


def _half(leads: Leads) -> NDArray[np.bool_]:
    """A half of the people by a hash of their ids (Fibonacci hashing), the same ones every time."""
    return np.asarray((leads.ids.astype(np.uint64) * np.uint64(11400714819323198485)) >> np.uint64(63) == 1)


def _share(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -500, 500))), dtype=np.float64)


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
