"""The pace that workers share: never above the quota in any sliding second, and close to it."""

from __future__ import annotations

import time
from itertools import pairwise
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.database import Database
from delivery.pace import Pace
from delivery.providers.transport import Reaction, SendQuota, TransportError
from delivery.tables import send_rate
from delivery.throttle import Rate, rate_at, reserve, slow_down

START = 1_800_000_000.0


class Provider:
    """A provider of e-mail that only tells its quota."""

    name, channel = "provider", "email"

    def __init__(self, rate: float | None = None, day_left: int | None = None) -> None:
        self.quota = SendQuota(rate, day_left)

    def send(self, envelope: object) -> None:
        raise AssertionError

    def read_rate(self) -> float | None:
        return self.quota.rate

    def read_quota(self) -> SendQuota:
        return self.quota


def open_pace(database: Database, provider: Provider) -> Pace:
    pace = Pace(database, {"email": provider})  # type: ignore[dict-item]  # it sends nothing
    pace.open("email")
    return pace


def busiest_second(instants: list[float]) -> int:
    """The most instants in any second, its last moment included."""
    most, first = 0, 0
    for number, at in enumerate(instants):
        while at - instants[first] > 1:
            first += 1
        most = max(most, number - first + 1)
    return most


@given(
    st.integers(1, 500),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 60), st.floats(0, 0.02)), min_size=1, max_size=60),
)
def test_no_sliding_second_exceeds_the_quota_however_workers_reserve(
    quota: int, turns: list[tuple[float, int, float]]
) -> None:
    rate, now, instants = Rate(float(quota)), START, []
    for pause, wanted, late in turns:
        now += pause
        rate, reserved = reserve(rate, wanted, now)
        assert len(reserved) == wanted
        assert min(reserved) >= now
        instants += [at + late for at in reserved]  # each may be used a little later than it was meant
    assert busiest_second(sorted(instants)) <= quota


def test_instants_follow_each_other_without_gaps_when_there_is_always_work() -> None:
    rate, instants = Rate(100.0), []
    for _ in range(20):
        rate, reserved = reserve(rate, 10, START)
        instants += reserved
    gaps = [after - before for before, after in pairwise(instants)]
    assert min(gaps) == pytest.approx(1 / 95, abs=1e-5)
    assert max(gaps) == pytest.approx(1 / 95, abs=1e-5)


def test_the_rate_is_halved_once_and_doubles_each_minute_when_a_provider_was_overtaxed() -> None:
    rate = slow_down(Rate(100.0), START)
    assert rate_at(rate, START) == 47.5
    assert slow_down(rate, START + 1) == rate  # a call that was under way with the first
    assert rate_at(slow_down(rate, START + 6), START + 6) == pytest.approx(25.45, abs=0.01)
    assert rate_at(rate, START + 30) == pytest.approx(67.2, abs=0.1)
    assert rate_at(rate, START + 60) == 95.0
    unknown = slow_down(Rate(None), START)
    assert rate_at(unknown, START) == 10.0
    assert rate_at(unknown, START + 600) is None


def test_nothing_is_left_when_the_quota_of_the_day_is_used_up() -> None:
    rate, some = reserve(Rate(None, day_left=5), 3, START)
    rate, rest = reserve(rate, 3, START)
    assert (len(some), len(rest), rate.day_left) == (3, 2, 0)
    assert reserve(rate, 1, START) == (rate, [])


def test_two_workers_stay_below_the_quota_and_near_it_when_they_share_it(database: Database) -> None:
    quota, begun = 100, time.monotonic()
    calls: list[float] = []

    def work() -> None:
        pace = open_pace(database, Provider(quota))
        while time.monotonic() - begun < 2:
            for _ in range(pace.room("email", 4)):
                pace.wait("email")
                calls.append(time.monotonic())
            time.sleep(min(0.02, pace.rest("email")))

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert busiest_second(sorted(calls)) <= quota
    assert len(calls) > quota  # of the 190 that there are; a busy machine misses some


def test_what_a_dead_worker_reserved_is_lost_and_makes_nobody_faster(database: Database) -> None:
    dead, alive = open_pace(database, Provider(50)), open_pace(database, Provider(50))
    assert dead.room("email", 9) >= 0
    begun = time.monotonic()
    for _ in range(5):
        alive.wait("email")
    assert time.monotonic() - begun > 9 / 47.5


def test_a_changed_quota_is_followed_when_it_is_read_again(database: Database) -> None:
    provider = Provider(1.0)
    pace = open_pace(database, provider)
    provider.quota = SendQuota(200.0)
    pace.refresh()
    assert pace.slowest() == 200.0
    begun = time.monotonic()
    for _ in range(10):
        pace.wait("email")
    assert time.monotonic() - begun < 1


def test_an_unlimited_provider_is_not_waited_for(database: Database) -> None:
    pace = open_pace(database, Provider())
    assert (pace.room("email", 500), pace.rest("email")) == (500, 0.0)
    for _ in range(100):
        pace.wait("email")


def test_a_call_is_put_off_when_nothing_is_left_of_the_day(database: Database) -> None:
    pace = open_pace(database, Provider(500.0, day_left=2))
    pace.wait("email")
    pace.wait("email")
    with pytest.raises(TransportError) as raised:
        pace.wait("email")
    assert raised.value.reaction is Reaction.WAIT_FOR_QUOTA
    assert pace.is_day_over("email")
    assert pace.room("email", 1) == 0


def test_all_workers_slow_down_when_one_was_refused(database: Database) -> None:
    pace = open_pace(database, Provider())
    with database.transaction() as connection:
        pace.slow_down(connection, "email")
    other = open_pace(database, Provider())
    begun = time.monotonic()
    for _ in range(3):
        other.wait("email")
    assert time.monotonic() - begun > 0.15
    with database.read() as connection:
        assert connection.execute(select(send_rate.c.slowed_to)).scalar_one() == 10.0
