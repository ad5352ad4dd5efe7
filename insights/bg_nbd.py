"""How often somebody buys, and whether they still will: the BG/NBD model of Fader, Hardie and Lee (2005).

Purchases come at a rate of one's own (gamma over people) until, after any of them, one leaves for good (beta over
people). Rows that are alike are counted once, with a weight. Time is in weeks; pure arithmetic over arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal  # type: ignore[import-untyped]  # scipy carries no types
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy carries no types
from scipy.special import gammaln, psi  # type: ignore[import-untyped]  # scipy carries no types

from core.errors import InputError

Floats = NDArray[np.float64]

_START = (1.0, 1.0, 1.0, 1.0)
_LOG_BOUNDS = ((-12.0, 12.0), (-12.0, 12.0), (-12.0, 7.0), (-12.0, 7.0))  # beyond them people are all alike
_NODES = 40
_SINGULAR = 1e-7


@dataclass(frozen=True, slots=True)
class BgNbd:
    """`r` and `alpha` (weeks) shape how often people buy, `a` and `b` how soon they leave after a purchase."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class BgNbdFit:
    """The most likely model, and the logarithm of how likely it makes what was seen."""

    model: BgNbd
    log_likelihood: float
    row_count: int
    customer_count: int
    iteration_count: int


@dataclass(frozen=True, slots=True)
class Rows:
    """People seen alike: `frequency` repeat purchases, the last of them `recency` weeks after the first purchase, and
    `age` weeks since it; `weight` of them.
    """

    frequency: Floats
    recency: Floats
    age: Floats
    weight: Floats

    def __post_init__(self) -> None:
        if not len(self.frequency):
            raise InputError("there is nobody to learn from: import orders of known customers first.")
        if (self.frequency < 0).any() or (self.recency < 0).any() or (self.recency > self.age).any():
            raise InputError("a customer's last purchase lies before their first or after the end of the data.")


def fit_bg_nbd(rows: Rows) -> BgNbdFit:
    """Maximum likelihood by L-BFGS-B with exact gradients over the parameters' logarithms; the same every time.

    Raises InputError where nobody ever bought twice: nothing tells how often they would.
    """
    if not (rows.frequency > 0).any():
        raise InputError("nobody has bought on a second day yet: there is nothing to learn about coming back from.")
    likelihood = _Likelihood(rows)
    found = minimize(
        likelihood,
        np.log(_START),
        jac=True,
        method="L-BFGS-B",
        bounds=_LOG_BOUNDS,
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 20},
    )
    model = BgNbd(*(float(value) for value in np.exp(found.x)))
    total = float(rows.weight.sum())
    return BgNbdFit(model, -float(found.fun) * total, len(rows.frequency), round(total), int(found.nit))


def alive_probability(model: BgNbd, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    """P(not gone for good at the end of the data). 1 for everybody who bought once: this is not churn."""
    shape = model.r + frequency
    with np.errstate(over="ignore"):
        odds = np.exp(shape * np.log((model.alpha + age) / (model.alpha + recency)))
        gone = np.where(frequency > 0, model.a / (model.b + np.maximum(frequency, 1) - 1) * odds, 0.0)
    return np.asarray(1 / (1 + gone))


def expected_purchases(model: BgNbd, weeks: float, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    """E[purchases in the next `weeks`] given the past (equation 10 of the paper).

    Instead of by its hypergeometric function, which overflows where people leave alike, it is reckoned as what that
    stands for: the mean of (1 - (1 + p * t / (alpha + T)) ** -(r + x)) / p over the beta distribution of the chance to
    leave p, by Gauss-Jacobi quadrature.
    """
    coming = np.empty(len(frequency))
    order = np.argsort(frequency, kind="stable")
    counts, starts = np.unique(frequency[order], return_index=True)
    for count, rows in zip(counts.tolist(), np.split(order, starts[1:]), strict=True):
        chance, weight = _beta_nodes(model.a, model.b + count)
        pace = np.log1p(chance * (weeks / (model.alpha + age[rows]))[:, None])
        coming[rows] = -np.expm1(-(model.r + count) * pace) @ (weight / chance)
    return np.asarray(coming * alive_probability(model, frequency, recency, age))


def _beta_nodes(a: float, b: float) -> tuple[Floats, Floats]:
    """Points in (0, 1) and their weights, which together are 1, for means over Beta(a, b).

    From the three-term recurrence of the Jacobi polynomials (Golub and Welsch 1969).
    """
    k = np.arange(1, _NODES, dtype=np.float64)
    of = 2 * k + a + b
    middle = np.append((a - b) / (a + b), (a - b) * (a + b - 2) / (of * (of - 2)))
    square = np.full(_NODES - 1, 4 * a * b / ((a + b) ** 2 * (a + b + 1)))  # what the rest comes to at 1
    k, of = k[1:], of[1:]
    square[1:] = 4 * k * (k + a - 1) * (k + b - 1) * (k + a + b - 2) / ((of - 2) ** 2 * (of - 1) * (of - 3))
    points, vectors = eigh_tridiagonal(middle, np.sqrt(square))
    return np.maximum((1 + points) / 2, _SINGULAR**2), vectors[0] ** 2


class _Likelihood:
    """Minus the mean log-likelihood and its gradient; what depends on the count of purchases alone is asked once for
    each count.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._weight = rows.weight / rows.weight.sum()
        self._counts, self._place = np.unique(rows.frequency, return_inverse=True)
        self._by_count = np.bincount(self._place, weights=self._weight)
        self._again = rows.frequency > 0

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(logs)
        rows, x, weight = self._rows, self._rows.frequency, self._weight
        log_age, log_recency = np.log(alpha + rows.age), np.log(alpha + rows.recency)
        stays = -(r + x) * log_age
        before = np.maximum(b + x - 1, _SINGULAR)
        leaves = np.where(self._again, np.log(a) - np.log(before) - (r + x) * log_recency, -np.inf)
        either = np.logaddexp(stays, leaves)
        p_stays, p_leaves = np.exp(stays - either), np.exp(leaves - either)
        n, each = self._counts, self._by_count
        of_counts = gammaln(r + n) - gammaln(r) + gammaln(a + b) + gammaln(b + n) - gammaln(b) - gammaln(a + b + n)
        value = float(each @ of_counts + weight @ either) + r * logs[1]
        shape = r + x
        gone = float((weight * p_leaves).sum())
        joint = psi(a + b) - psi(a + b + n)
        gradient = np.array(
            [
                each @ (psi(r + n) - psi(r)) + logs[1] - weight @ (p_stays * log_age + p_leaves * log_recency),
                r / alpha - weight @ (shape * (p_stays / (alpha + rows.age) + p_leaves / (alpha + rows.recency))),
                each @ joint + gone / a,
                each @ (joint + psi(b + n) - psi(b)) - weight @ np.where(self._again, p_leaves / before, 0.0),
            ]
        )
        return -value, -gradient * np.exp(logs)
