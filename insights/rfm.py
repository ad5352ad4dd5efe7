"""Recency, frequency and money as fifths of the customers: 5 for the fifth that bought last, most often, for most.

Ties are broken by id, so that every fifth is as large as the others and a run can be repeated. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insights.population import Customers

Fifths = NDArray[np.int8]

# By the fifths of recency and of frequency.
_GROUPS: Mapping[str, tuple[range, range]] = {
    "champions": (range(4, 6), range(4, 6)),
    "loyal": (range(3, 4), range(3, 6)),
    "promising": (range(4, 6), range(2, 4)),
    "new": (range(4, 6), range(1, 2)),
    "needing attention": (range(3, 4), range(1, 3)),
    "must not be lost": (range(1, 3), range(5, 6)),
    "at risk": (range(1, 3), range(3, 5)),
    "hibernating": (range(1, 3), range(1, 3)),
}
GROUPS: Mapping[str, str] = {
    "champions": "Thank them, show them what is new first, ask for reviews; no discount.",
    "loyal": "Offer what goes with what they have; a reason to come sooner.",
    "promising": "Help them to a habit: cross-sell, replenishment.",
    "new": "Welcome them, and make the second purchase easy.",
    "needing attention": "Remind them while they still remember.",
    "must not be lost": "Ask in person what is wrong; the best offer you have.",
    "at risk": "Win them back before they are gone.",
    "hibernating": "Write seldom; a strong reason or none.",
}


@dataclass(frozen=True, slots=True)
class Rfm:
    """The fifth, 1 to 5, of each customer in each respect."""

    recency: Fifths
    frequency: Fifths
    money: Fifths


def fifths(values: NDArray[np.generic], ids: NDArray[np.int64]) -> Fifths:
    """1 for the smallest fifth of `values` up to 5 for the largest; of equal values the smaller id stands lower."""
    place = np.empty(len(values), dtype=np.int64)
    place[np.lexsort((ids, values))] = np.arange(len(values))
    return (1 + place * 5 // max(len(values), 1)).astype(np.int8)


def score_rfm(customers: Customers) -> Rfm:
    """The fifths of everybody."""
    return Rfm(
        fifths(customers.last_day, customers.ids),
        fifths(customers.frequency, customers.ids),
        fifths(customers.money, customers.ids),
    )


def group_of(recency: int, frequency: int) -> str:
    """What marketers call people of these fifths: a name of `GROUPS`, which says what is usually done."""
    return next(name for name, (last, often) in _GROUPS.items() if recency in last and frequency in often)
