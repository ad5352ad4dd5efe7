"""What a report draws of a population: who came last and how often, who brings the money, which newcomers came back.

Counts and sums alone, of nobody in particular. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from insights.population import Customers, Population
from insights.rfm import group_of, score_rfm

_MOST_COHORTS = 12
_LORENZ_POINTS = 50


@dataclass(frozen=True, slots=True)
class Cell:
    """The customers of one fifth of recency and one of frequency; `money` is what they brought, in minor units."""

    recency: int
    frequency: int
    group: str
    count: int
    money: float


@dataclass(frozen=True, slots=True)
class Concentration:
    """`curve` has what share of the money the customers up to each place brought, the largest first, in equal steps
    from 0 to 1; `gini` is 0 where all bring the same and near 1 where one brings everything.
    """

    curve: list[float] = field(default_factory=list)
    gini: float = 0.0
    top_tenth: float = 0.0


@dataclass(frozen=True, slots=True)
class Cohort:
    """Of `size` people whose first purchase was in `month` (its first day), which share bought in each month since."""

    month: date
    size: int
    shares: list[float]


@dataclass(frozen=True, slots=True)
class Figures:
    cells: list[Cell] = field(default_factory=list)
    concentration: Concentration = field(default_factory=Concentration)
    cohorts: list[Cohort] = field(default_factory=list)


def draw_figures(population: Population) -> Figures:
    """The figures as of the population's end."""
    customers = population.customers
    if not len(customers):
        return Figures()
    return Figures(_cells(customers), concentrate(customers.money), _cohorts(population.cohorts, customers.end_day))


def concentrate(money: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Concentration:
    """How unequally customers bring money (the Lorenz curve, turned so that the largest come first)."""
    ordered = np.sort(money)[::-1]
    whole = float(ordered.sum())
    if whole <= 0:
        return Concentration()
    shares = np.concatenate([[0.0], np.cumsum(ordered) / whole])
    places = np.linspace(0, 1, len(shares))
    steps = np.linspace(0, 1, _LORENZ_POINTS + 1)
    gini = 2 * float(np.trapezoid(shares, places)) - 1
    curve = [round(float(share), 4) for share in np.interp(steps, places, shares)]
    return Concentration(curve, round(gini, 3), round(float(np.interp(0.1, places, shares)), 3))


def _cells(customers: Customers) -> list[Cell]:
    rfm = score_rfm(customers)
    place = (rfm.recency.astype(np.int64) - 1) * 5 + rfm.frequency - 1
    count = np.bincount(place, minlength=25)
    money = np.bincount(place, weights=customers.money, minlength=25)
    return [
        Cell(last, often, group_of(last, often), int(count[spot]), float(money[spot]))
        for spot, (last, often) in enumerate((last, often) for last in range(1, 6) for often in range(1, 6))
    ]


def _cohorts(counts: Mapping[tuple[int, int], int], end_day: int) -> list[Cohort]:
    """The newest cohorts with a month since, oldest first. The running month is not over, and stays away."""
    running = int(np.datetime64(end_day, "D").astype("datetime64[M]").astype(np.int64))
    months = sorted({month for month, later in counts if not later and month < running - 1})[-_MOST_COHORTS:]
    found = []
    for month in months:
        size = counts[month, 0]
        shares = [counts.get((month, later), 0) / size for later in range(running - month)]
        began = np.datetime64(month, "M").astype("datetime64[D]").astype(date)
        found.append(Cohort(began, size, [round(share, 4) for share in shares]))
    return found
