"""What somebody spends on a purchase: the Gamma-Gamma model (Fader and Hardie 2013).

Whoever bought often is believed their own average, whoever bought seldom is drawn towards everybody's. Independent of
how often they buy. Money is in any one unit; pure arithmetic over arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy carries no types
from scipy.special import gammaln, psi  # type: ignore[import-untyped]  # scipy carries no types

from core.errors import InputError

Floats = NDArray[np.float64]

FLOOR = 20  # repeat customers; fewer say nothing about how purchases differ
_LOG_BOUND = 25.0


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """`p` shapes one person's purchases, `q` and `v` (money) how people differ."""

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float:
        """What a purchase of somebody unknown brings; infinite where q is not above 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("inf")


@dataclass(frozen=True, slots=True)
class GammaGammaFit:
    model: GammaGamma
    log_likelihood: float
    customer_count: int


def fit_gamma_gamma(frequency: Floats, spend: Floats) -> GammaGammaFit:
    """Maximum likelihood over people with `frequency` repeat purchases of `spend` on average, both above zero.

    Raises InputError for fewer than `FLOOR` people, and where what they spend hardly differs or differs without end.
    """
    chosen = (frequency > 0) & (spend > 0)
    x, m = frequency[chosen], spend[chosen]
    if len(x) < FLOOR:
        raise InputError(f"{len(x)} customers bought more than once, and it takes {FLOOR} to learn what they spend.")
    if np.ptp(m) < 1e-9 * m.max():
        raise InputError("every customer spends the same on a purchase: there is nothing to learn from.")
    scale = float(m.mean())
    likelihood = _Likelihood(x, m / scale)
    found = minimize(
        likelihood,
        np.zeros(3),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 3,
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 20},
    )
    p, q, v = (float(value) for value in np.exp(found.x))
    if q <= 1:
        raise InputError("a few purchases are so large that an average means nothing: look at them one by one.")
    return GammaGammaFit(
        GammaGamma(p, q, v * scale), -float(found.fun) * len(x) - len(x) * float(np.log(scale)), len(x)
    )


def expected_spend(model: GammaGamma, frequency: Floats, spend: Floats) -> Floats:
    """E[money of a purchase] of each person; everybody's mean for who bought once (`spend` is passed over then)."""
    own = np.where(frequency > 0, frequency * spend, 0.0)
    return np.asarray(model.p * (model.v + own) / (model.p * frequency + model.q - 1), dtype=np.float64)


class _Likelihood:
    """Minus the mean log-likelihood and its gradient over the logarithms of p, q and v."""

    def __init__(self, frequency: Floats, spend: Floats) -> None:
        self._total = frequency * spend
        self._x = frequency
        self._counts, place = np.unique(frequency, return_inverse=True)
        self._by_count = np.bincount(place) / len(frequency)
        self._log_total = float((frequency * np.log(self._total)).mean())
        self._log_spend = float(np.log(spend).mean())

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        p, q, v = np.exp(logs)
        n, each = self._counts, self._by_count
        shape = p * self._x + q
        log_sum = np.log(self._total + v)
        value = (
            float(each @ (gammaln(p * n + q) - gammaln(p * n) - gammaln(q)))
            + q * logs[2]
            + p * self._log_total
            - self._log_spend
            - float((shape * log_sum).mean())
        )
        of_sum = psi(p * n + q)
        gradient = np.array(
            [
                each @ (n * (of_sum - psi(p * n))) + self._log_total - float((self._x * log_sum).mean()),
                each @ of_sum - psi(q) + logs[2] - float(log_sum.mean()),
                q / v - float((shape / (self._total + v)).mean()),
            ]
        )
        return -value, -gradient * np.exp(logs)
