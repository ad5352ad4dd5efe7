"""Who will not buy within a time: churn over a horizon, and when the next purchase is to be expected.

P(alive) is no churn: it is 1 for everybody who bought once. What counts is whether the next purchase comes in time,
for which one has to be alive and to buy. Pure; time is in weeks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insights.bg_nbd import BgNbd, alive_probability

Floats = NDArray[np.float64]


def churn_probability(model: BgNbd, weeks: float, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    """P(no purchase in the next `weeks`) = 1 - P(alive) * (1 - ((alpha+T) / (alpha+T+t)) ** (r+x))."""
    waited = model.alpha + age
    comes = -np.expm1((model.r + frequency) * np.log(waited / (waited + weeks)))
    return np.asarray(1 - alive_probability(model, frequency, recency, age) * comes, dtype=np.float64)


def median_wait(model: BgNbd, frequency: Floats, age: Floats) -> Floats:
    """Weeks after which half of such people have bought again, if they are alive: (alpha+T) * (2 ** (1/(r+x)) - 1).

    Grows without bound for who bought once; at most a century is said.
    """
    doublings = np.minimum(1 / (model.r + frequency), 1000)
    return np.asarray(np.minimum((model.alpha + age) * np.expm1(np.log(2) * doublings), 5200.0))
