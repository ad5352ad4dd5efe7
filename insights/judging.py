"""How good probabilities are, once it is known what happened: order (AUC), distance (Brier), calibration by tenths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """`count` people for whom the mean probability was `predicted`, and the share for whom it happened."""

    predicted: float
    actual: float
    count: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """`auc` is the chance that one to whom it happened had the higher probability (0.5: a coin), with its 95 %
    interval; `brier` the mean squared distance, and `brier_of_share` that of saying the true share of everybody.
    """

    auc: float
    auc_low: float
    auc_high: float
    brier: float
    brier_of_share: float
    bins: list[Bin]


def judge(probability: Floats, happened: Flags) -> Judgement | None:
    """None where it happened to everybody or to nobody: then there is no order to judge."""
    positives = int(happened.sum())
    negatives = len(happened) - positives
    if not positives or not negatives:
        return None
    auc = area_under_curve(probability, happened)
    half = 1.96 * _auc_error(auc, positives, negatives)
    share = positives / len(happened)
    return Judgement(
        auc,
        max(auc - half, 0.0),
        min(auc + half, 1.0),
        float(np.mean((probability - happened) ** 2)),
        share * (1 - share),
        calibrate(probability, happened),
    )


def area_under_curve(score: Floats, happened: Flags) -> float:
    """The Mann-Whitney statistic as a share; ties count half."""
    _values, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    positives = int(happened.sum())
    lowest = positives * (positives + 1) / 2
    return float((rank[place][happened].sum() - lowest) / (positives * (len(score) - positives)))


def calibrate(probability: Floats, happened: Flags) -> list[Bin]:
    """Tenths of the people by their probability; those who share a border are divided by their order."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(_BINS, len(order)))
    return [Bin(float(probability[part].mean()), float(happened[part].mean()), len(part)) for part in parts]


def _auc_error(auc: float, positives: int, negatives: int) -> float:
    """The standard error by Hanley and McNeil (1982)."""
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (first - auc**2) + (negatives - 1) * (second - auc**2)
    return float(np.sqrt(max(spread, 0.0) / (positives * negatives)))
