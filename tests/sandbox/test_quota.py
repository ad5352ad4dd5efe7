"""The quota by itself: never more than it allows, whatever is asked and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sandbox.quota import Allowance, Quota

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(
    st.floats(1, 50),
    st.lists(st.floats(0, 2), max_size=60),
)
def test_rate_and_burst_are_never_exceeded_when_calls_come_at_any_time(rate: float, gaps: list[float]) -> None:
    quota = Quota(rate, -1, burst_seconds=0.25)
    burst, now, granted = max(1.0, rate * 0.25), 0.0, 0
    for gap in gaps:
        now += gap
        granted += quota.take(1, NOON, now) is Allowance.GRANTED
    assert granted <= burst + rate * now + 1e-6


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 20)), max_size=80))
def test_day_is_never_exceeded_by_more_than_one_call_when_calls_come_at_any_time(
    calls: list[tuple[int, int]],
) -> None:
    quota, now = Quota(-1, 100, 1), NOON
    granted: list[tuple[datetime, int]] = []
    for minutes, recipient_count in calls:
        now += timedelta(minutes=minutes)
        if quota.take(recipient_count, now, 0.0) is Allowance.GRANTED:
            assert sum(count for at, count in granted if at > now - timedelta(hours=24)) < 100
            granted.append((now, recipient_count))


def test_call_passes_into_debt_when_it_has_more_recipients_than_the_burst() -> None:
    quota = Quota(1, -1, burst_seconds=1)
    assert quota.take(5, NOON, 0.0) is Allowance.GRANTED
    assert quota.take(1, NOON, 4.5) is Allowance.RATE_EXCEEDED
    assert quota.take(1, NOON, 5.0) is Allowance.GRANTED


def test_nothing_is_refused_when_the_quota_is_unlimited() -> None:
    quota = Quota(-1, -1, burst_seconds=1)
    assert {quota.take(50, NOON, 0.0) for _ in range(1000)} == {Allowance.GRANTED}
    assert quota.sent_last_24_hours(NOON) == 50_000
