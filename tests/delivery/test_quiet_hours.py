"""Quiet hours on ordinary days and on those when clocks change; the numbers are those of docs/journeys.md."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.quiet_hours import QuietHours, quiet_until

NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(8))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "quiet", "opens"),
    [
        ("2026-03-08T04:00", NIGHT, "2026-03-08T12:00"),  # 18: eight hours, not nine
        ("2026-03-08T06:30", QuietHours(time(22), time(2, 30)), "2026-03-08T07:00"),  # 19: the clock jumps past the end
        ("2026-11-01T05:00", QuietHours(time(22), time(1, 30)), "2026-11-01T05:30"),  # 20: the first 01:30
        ("2026-11-01T06:10", QuietHours(time(22), time(1, 30)), "2026-11-01T06:30"),  # 20: a repeated hour closes again
    ],
)
def test_opens_at_the_earliest_instant_outside_when_clocks_change(due: str, quiet: QuietHours, opens: str) -> None:
    assert quiet_until(utc(due), quiet, NEW_YORK) == utc(opens)


def test_is_half_open_when_asked_at_its_edges() -> None:  # 21
    local = datetime(2026, 6, 10, tzinfo=BERLIN)
    assert quiet_until(local.replace(hour=8).astimezone(UTC), NIGHT, BERLIN) is None
    assert quiet_until((local.replace(hour=22) - timedelta(milliseconds=1)).astimezone(UTC), NIGHT, BERLIN) is None
    assert quiet_until(local.replace(hour=22).astimezone(UTC), NIGHT, BERLIN) == utc("2026-06-11T06:00")


def test_does_not_close_the_day_when_the_interval_is_overnight() -> None:  # 27
    assert quiet_until(utc("2026-06-10T10:00"), QuietHours(time(22), time(6)), BERLIN) is None


clocks = st.times(max_value=time(23, 59)).map(lambda clock: clock.replace(second=0, microsecond=0))
zones = st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"])


@given(
    st.integers(0, 4 * 366 * 24 * 60).map(lambda minutes: utc("2024-01-01T00:00") + timedelta(minutes=minutes)),
    clocks,
    clocks,
    zones,
)
def test_answers_an_open_instant_with_nothing_open_before_it(
    instant: datetime, start: time, end: time, zone_name: str
) -> None:
    if start == end:
        return
    quiet, zone = QuietHours(start, end), ZoneInfo(zone_name)
    until = quiet_until(instant, quiet, zone)
    opened = until or instant
    assert not quiet.contains(opened.astimezone(zone).time())
    probe = instant
    while probe < opened:
        assert quiet.contains(probe.astimezone(zone).time())
        probe += timedelta(minutes=7)
