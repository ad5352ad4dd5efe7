"""The CDNOW sample (Fader, Hardie and Lee 2005), on which every published number was found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from insights.population import Population, gather
from insights.purchases import Purchases

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "CDNOW_sample.txt"
CALIBRATION_END = date(1997, 9, 30)
HOLDOUT_WEEKS = 39
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Cdnow:
    """`population.earlier` stands at the end of week 39, `population.afterwards` counts purchases in weeks 40 to 78."""

    population: Population


@cache
def cdnow() -> Cdnow:
    if not FILE.exists():
        reason = "the CDNOW sample is not on this machine (../shared/data/CDNOW_sample.txt)"
        pytest.fail(reason, pytrace=False) if os.environ.get("CI") else pytest.skip(reason)
    spent: dict[tuple[int, int], float] = {}
    for line in FILE.read_text(encoding="ascii").splitlines():
        customer, _sample, day, _count, dollars = line.split()
        at = (date(int(day[:4]), int(day[4:6]), int(day[6:])) - _EPOCH).days
        spent[int(customer), at] = spent.get((int(customer), at), 0.0) + float(dollars)
    rows = sorted((owner, day, round(100 * money)) for (owner, day), money in spent.items())
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    earlier = (CALIBRATION_END - _EPOCH).days
    population = gather(
        [Purchases(columns[0], columns[1], columns[2])], end_day=earlier + 7 * HOLDOUT_WEEKS, earlier_day=earlier
    )
    return Cdnow(population)
