"""When each customer orders: a rhythm of one's own, from weekly to yearly, and for some a clear end.

Gaps between two orders follow a gamma distribution around the customer's own mean, which is itself heavy-tailed over
customers. About 15 % of the buyers are planted churners: brisk and regular, then silent for several of their gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.shop.calendar_shape import DAY, WINDOW_DAYS, Floats, Ints, Seasons, at_local_hours
from examples.shop.people import Person
from examples.shop.truth import Churner

_MOST_ORDERS = 90
_CHURN_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Orders:
    """All orders by time. `customer` is a position in the list of people, -1 for a guest; `placed_at` Unix seconds."""

    customer: Ints
    placed_at: Ints

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True, slots=True)
class Rhythms:
    """One row a person: mean gap in days, and whether the person buys at all or was made to stop."""

    gap_days: Floats
    buys: np.ndarray
    stops: np.ndarray


def order_times(
    seed: int, persons: list[Person], seasons: Seasons, target: int, guest_share: float
) -> tuple[Orders, Rhythms]:
    """About `target` orders in all, `guest_share` of them by nobody we know."""
    rng = np.random.default_rng((seed, 3))
    count = len(persons)
    buys = rng.random(count) < 0.8
    gap = np.clip(rng.lognormal(np.log(62), 1.1, count), 5, 500)
    shape = rng.uniform(1.2, 5.0, count)
    start = np.array([(person.signed_up_at - seasons.start).total_seconds() / DAY for person in persons])
    stops = buys & (start < 40) & (rng.random(count) < _CHURN_SHARE * 1.65)
    gap[stops] = rng.uniform(20, 42, int(stops.sum()))
    shape[stops] = rng.uniform(6, 12, int(stops.sum()))
    end = np.full(count, float(WINDOW_DAYS))
    end[stops] = WINDOW_DAYS - rng.uniform(np.maximum(96, 3.6 * gap[stops]), 260)

    # Old customers are met in the middle of a gap, new ones order soon after they sign up.
    first = np.where(start < 0, rng.random(count) * gap, np.maximum(start, 0) + rng.exponential(2.0, count))
    draws = rng.gamma(shape[:, None], 1 / shape[:, None], (count, _MOST_ORDERS))
    known_target = target * (1 - guest_share)
    scale = _fitting_scale(seasons, first, gap, draws, end, buys, stops, known_target)
    gap = np.where(stops, gap, gap * scale)
    days, wanted = _process(seasons, first, gap, draws, end, buys)

    customer, _ = np.nonzero(wanted)
    guests = max(round(len(customer) * guest_share / (1 - guest_share)), 0)
    guest_days = seasons.real_days(rng.random(guests) * seasons.length)
    zones = [persons[i].timezone or "Europe/London" for i in customer] + ["Europe/London"] * guests
    placed = at_local_hours(rng, seasons, np.concatenate([days[wanted], guest_days]), zones)
    signed_up = np.array([int(person.signed_up_at.timestamp()) for person in persons], dtype=np.int64)
    who = np.concatenate([customer, np.full(guests, -1)]).astype(np.int64)
    known = who >= 0
    placed[known] = np.maximum(placed[known], signed_up[who[known]] + 600)
    placed = np.minimum(placed, int(seasons.end.timestamp()) - 1)
    order = np.lexsort((who, placed))
    return Orders(who[order], placed[order]), Rhythms(gap, buys, stops)


def _process(
    seasons: Seasons, first: Floats, gap: Floats, draws: Floats, end: Floats, buys: np.ndarray
) -> tuple[Floats, np.ndarray]:
    """Days of the window, one row a person, and which of them really happen."""
    begin = seasons.shop_time(first)
    steps = np.concatenate([begin[:, None], draws[:, 1:] * gap[:, None]], axis=1)
    shop_time = np.cumsum(steps, axis=1)
    days = seasons.real_days(shop_time)
    wanted = (shop_time < seasons.length) & (days < end[:, None]) & (days < WINDOW_DAYS) & buys[:, None]
    return days, wanted


def _fitting_scale(
    seasons: Seasons, first: Floats, gap: Floats, draws: Floats, end: Floats, buys: np.ndarray,
    stops: np.ndarray, target: float,
) -> float:  # fmt: skip
    """The factor on the gaps of everybody who goes on buying that gives about `target` orders, by bisection."""
    low, high = 0.02, 50.0
    for _ in range(24):
        middle = (low * high) ** 0.5
        scaled = np.where(stops, gap, gap * middle)
        if _process(seasons, first, scaled, draws, end, buys)[1].sum() > target:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)


def churners(persons: list[Person], orders: Orders, rhythms: Rhythms, seasons: Seasons) -> list[Churner]:
    """Those who were made to stop and whose orders show it: three or more, then silence of over three typical gaps."""
    found: list[Churner] = []
    by_person = np.argsort(orders.customer, kind="stable")
    bounds = np.searchsorted(orders.customer[by_person], np.arange(len(persons) + 1))
    for index in np.flatnonzero(rhythms.stops):
        placed = orders.placed_at[by_person[bounds[index] : bounds[index + 1]]]
        if len(placed) < 3:
            continue
        typical = float(np.median(np.diff(placed))) / DAY
        last = int(placed[-1])
        silent = (seasons.end.timestamp() - last) / DAY
        if silent > 3 * typical:
            last_order_at = np.datetime64(last, "s").item().isoformat() + "Z"
            found.append(Churner(persons[index].external_id, last_order_at, round(typical, 2), round(silent, 2)))
    return found
