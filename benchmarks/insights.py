"""The figures of insights: `make bench NAME=insights`. The last line is one JSON object.

A million customers with 200,000 distinct pasts, drawn from the models themselves with a fixed seed, so that what is
found can be held against the truth. `insights_1m_s` is CPU seconds for grouping, fitting both models and every score of
everybody; `insights_check_s` fits and judges once more on an earlier part. `insights_record_s` writes one score of
everybody into SQLite, `insights_again_s` the same score a day later when a tenth of the numbers are others.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import insert

import migrations
from core.database import Database, batches
from customers.tables import profile
from insights.learning import Learned, State, check
from insights.lifetime import Worth
from insights.population import Customers, Population, group
from insights.scores import record_scores
from insights.scoring import CHURN, score_customers, score_rfm_of

PEOPLE = 1_000_000
DISTINCT = 200_000
_NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
_END_DAY = 20_614
_DAYS = 1_100
_RATE, _LEAVING, _SPEND = (0.6, 8.0), (0.8, 2.5), (6.25, 3.74, 1544.0)
_OLDER = 90

Figures = dict[str, Any]


def measure_insights(people: int = PEOPLE, *, recording: bool = True) -> Figures:
    """All figures; `people` in proportion have 200,000 distinct rows of a million."""
    customers = draw_customers(people)
    before = _peak_mb()
    begun = time.process_time()
    learned = _fit(customers)
    scores = score_rfm_of(customers) | score_customers(customers, learned, Worth())
    seconds = time.process_time() - begun
    peak = _peak_mb()
    if learned.bg_nbd is None or learned.gamma_gamma is None:
        raise RuntimeError("the models were not fitted")
    figures: Figures = {
        "people": people,
        "distinct_rows": learned.bg_nbd.row_count,
        "insights_1m_s": round(seconds, 2),
        "insights_peak_mb": round(peak),
        "insights_added_mb": round(peak - before),
        "scores": sorted(scores),
    }
    begun = time.process_time()
    check(_population(customers), [])
    figures["insights_check_s"] = round(time.process_time() - begun, 2)
    if recording:
        figures |= _record(scores[CHURN])
    return figures


def draw_customers(people: int, seed: int = 11) -> Customers:
    """Customers whose pasts are drawn from the models, each distinct past shared by about five."""
    chance = np.random.default_rng(seed)
    distinct = max(people * DISTINCT // PEOPLE, 1)
    # Some pasts come out alike by chance, above all those of a single purchase; so more are drawn than are wanted.
    age = chance.integers(0, _DAYS, 4 * distinct)
    rate = chance.gamma(_RATE[0], 1 / _RATE[1], len(age)) / 7
    leaving = chance.beta(*_LEAVING, len(age))
    stays = chance.geometric(np.clip(leaving, 1e-9, 1))
    bought, last, clock = (np.zeros(len(age), dtype=np.int64) for _ in range(3))
    going = np.ones(len(age), dtype=np.bool_)
    while going.any():
        clock = clock + np.where(going, np.maximum(np.ceil(chance.exponential(1 / rate)), 1), 0).astype(np.int64)
        going &= (clock <= age) & (bought < stays)
        last = np.where(going, clock, last)
        bought = bought + going
    pasts = np.unique(np.stack([bought, last, age]), axis=1)
    pasts = pasts[:, chance.permutation(pasts.shape[1])[:distinct]]
    of = np.concatenate([np.arange(pasts.shape[1]), chance.integers(0, pasts.shape[1], people - pasts.shape[1])])
    bought, last, age = pasts[:, of]
    p, q, v = _SPEND
    spend = chance.gamma(p * np.maximum(bought, 1)) / np.maximum(bought, 1) / chance.gamma(q, 1 / v, people)
    first = _END_DAY - age
    return Customers(
        np.arange(1, people + 1, dtype=np.int64),
        first.astype(np.int32),
        (first + last).astype(np.int32),
        bought.astype(np.int32),
        np.where(bought > 0, spend, 0.0),
        spend * (bought + 1),
        _END_DAY,
    )


def _fit(customers: Customers) -> Learned:
    from insights.bg_nbd import fit_bg_nbd
    from insights.gamma_gamma import fit_gamma_gamma

    alike = group(customers)
    spend = fit_gamma_gamma(customers.frequency.astype(np.float64), customers.spend)
    return Learned(State.READY, [], alike, fit_bg_nbd(alike.rows), spend)


def _population(customers: Customers) -> Population:
    """As if everybody stood some months earlier; what came since is made up, and only its cost counts."""
    known = customers.first_day <= _END_DAY - _OLDER
    earlier = Customers(
        customers.ids[known],
        customers.first_day[known],
        np.minimum(customers.last_day[known], _END_DAY - _OLDER),
        customers.frequency[known],
        customers.spend[known],
        customers.money[known],
        _END_DAY - _OLDER,
    )
    return Population(customers, earlier, (customers.last_day[known] > earlier.end_day).astype(np.int32))


def _record(values: np.ndarray[Any, np.dtype[np.float64]]) -> Figures:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'insights.db'}"
        migrations.upgrade(url)
        database = Database(url)
        rows = [{"id": number, "status": "active", "created_at": _NOW, "updated_at": _NOW, "attributes": {}}
                for number in range(1, len(values) + 1)]  # fmt: skip
        with database.transaction() as connection:
            for some in batches(rows, 10_000):
                connection.execute(insert(profile), list(some))

        def record(now: datetime, numbers: list[float]) -> None:
            with database.transaction() as connection:
                record_scores(connection, CHURN, enumerate(numbers, start=1), now)

        first = _timed(lambda: record(_NOW, values.tolist()))
        later = np.where(np.arange(len(values)) % 10, values, np.minimum(values + 0.001, 1.0))
        again = _timed(lambda: record(_NOW + timedelta(days=1), later.tolist()))
        database.close()
    return {"insights_record_s": round(first, 2), "insights_again_s": round(again, 2)}


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _peak_mb() -> float:
    unit = 1024 if sys.platform != "darwin" else 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--fit-only", action="store_true", help="leave out what is written into a database")
    options = parser.parse_args()
    print(json.dumps(measure_insights(options.people, recording=not options.fit_only)))


if __name__ == "__main__":
    main()
