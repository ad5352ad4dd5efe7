"""The hour at which somebody mostly reads: weights, ties, and the instants that are passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.zones import known_zones
from delivery.best_time import Basis, BestTime, Habits, best_time

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 10, 18, 30, tzinfo=UTC)  # half past eight in the evening in Berlin
DAY = timedelta(days=1)


def acts(hour: int, count: int, *, days_ago: int = 1) -> list[datetime]:
    return [datetime(2026, 6, 10, hour, 10, tzinfo=UTC) - (days_ago + number) * DAY for number in range(count)]


def choose(
    habits: Habits, *, now: datetime = NOW, expires_at: datetime | None = None, quiet: tuple[int, ...] = ()
) -> BestTime:
    def is_open(at: datetime) -> bool:
        return at.astimezone(BERLIN).hour not in quiet

    return best_time(habits, BERLIN, now, expires_at=expires_at, is_open=is_open)


@pytest.mark.parametrize(
    ("own", "hour"),
    [
        (acts(17, 6), 19),
        (acts(17, 3) + acts(5, 3), 7),  # equally heavy: the earlier hour
        (acts(17, 5, days_ago=90) + acts(5, 2), 7),  # five of three months ago weigh less than two of yesterday
        (acts(17, 6) + [NOW + DAY] * 50, 19),  # what has not happened yet does not count
    ],
)
def test_the_heaviest_hour_wins_by_the_readers_own_clock(own: list[datetime], hour: int) -> None:
    chosen = choose(Habits(own))
    assert (chosen.hour, chosen.basis) == (hour, Basis.OWN)
    assert chosen.at.astimezone(BERLIN).hour == hour
    assert NOW < chosen.at < NOW + DAY


def test_everybodys_hour_is_taken_when_there_are_fewer_than_five_acts() -> None:
    everybody = tuple(float(hour == 6) for hour in range(24))
    assert choose(Habits(acts(17, 4), everybody)).hour == 6
    assert choose(Habits(acts(17, 5), everybody)).hour == 19
    assert choose(Habits(acts(17, 4))) == BestTime(NOW, None, Basis.NOTHING)


def test_it_is_now_when_the_hour_is_here_or_quiet_or_comes_too_late() -> None:
    habits = Habits(acts(17, 6))
    inside = NOW - timedelta(minutes=60)
    assert choose(habits, now=inside).at == inside
    assert choose(habits, quiet=(19,)).at == NOW
    assert choose(habits, expires_at=NOW + timedelta(hours=23)).at == NOW
    assert choose(habits, expires_at=datetime(2026, 6, 11, 18, tzinfo=UTC)).at == datetime(2026, 6, 11, 17, tzinfo=UTC)


@given(
    st.lists(st.integers(0, 200 * 24 * 60), max_size=30),
    st.integers(0, 2 * 366 * 24 * 60),
    st.sampled_from(sorted(known_zones())).map(ZoneInfo),
    st.randoms(use_true_random=False),
)
def test_the_choice_lies_within_a_day_and_does_not_depend_on_the_order_of_acts(
    ages: list[int], minute: int, zone: ZoneInfo, shuffling: Random
) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    own = [now - timedelta(minutes=age) for age in ages]
    chosen = best_time(Habits(own), zone, now, expires_at=None, is_open=lambda _at: True)
    shuffling.shuffle(own)
    assert best_time(Habits(own), zone, now, expires_at=None, is_open=lambda _at: True) == chosen
    assert now <= chosen.at < now + DAY
