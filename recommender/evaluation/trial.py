"""A trial of the shop's ranking on its own orders: what is learnt before a day is asked about what came after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from core.errors import InputError
from recommender.baskets import instant_of
from recommender.evaluation.comparison import SurfaceComparison, compare
from recommender.evaluation.purchases import read_purchases
from recommender.evaluation.questions import Purchases, Surface
from recommender.judgement import weigh
from recommender.parameters import RuleParameters
from recommender.ranking import Weights

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Trial:
    """`learnt_count` baskets before `cut` (UTC), `later_count` from it on; `weights` were chosen among the former."""

    cut: datetime
    learnt_count: int
    later_count: int
    weights: Weights
    surfaces: list[SurfaceComparison]


def hold_trial(
    connection: Connection,
    now: datetime,
    *,
    cut: datetime | None = None,
    surfaces: Sequence[Surface] = tuple(Surface),
    most: int = 3000,
    seed: int = 1,
    parameters: RuleParameters | None = None,
) -> Trial:
    """Try the ranking on all orders before `now`. Without `cut`, the latest fifth of the baskets is asked about.

    Raises InputError where no basket lies on one side of the cut.
    """
    return try_out(
        read_purchases(connection, end=now), cut, surfaces, most=most, seed=seed,
        parameters=parameters or RuleParameters(),
    )  # fmt: skip


def try_out(
    purchases: Purchases,
    cut: datetime | None,
    surfaces: Sequence[Surface],
    *,
    most: int,
    seed: int,
    parameters: RuleParameters,
) -> Trial:
    """The same on purchases at hand."""
    placed_at = purchases.baskets.placed_at
    if not len(placed_at):
        raise InputError("there is nothing to evaluate: import orders first (`postilion import`).")
    micros = instant_of(cut) if cut is not None else int(np.quantile(placed_at, 1 - parameters.held_out))
    past, future = purchases.split(micros)
    if not len(past.baskets) or not len(future.baskets):
        side = "before" if not len(past.baskets) else "from"
        raise InputError(f"there are no orders {side} {_instant(micros):%Y-%m-%d}: choose another day to split at.")
    weights = weigh(past.baskets.capped(parameters.largest_basket), parameters)
    compared = compare(past, future, replace(parameters, weights=weights), surfaces, most=most, seed=seed)
    return Trial(_instant(micros), len(past.baskets), len(future.baskets), weights, compared)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
