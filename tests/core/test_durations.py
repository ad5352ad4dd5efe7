"""Durations on the calendar and on the clock. Scenarios are numbered as in the specification of journeys."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.durations import (
    Duration,
    DurationOrderError,
    InvalidDurationError,
    add_calendar,
    at_local,
    parse_duration,
    parse_offset,
)
from core.zones import find_zone, known_zones

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("scenario", "zone", "start", "wait", "end"),
    [
        (4, NEW_YORK, "2026-03-07T17:00Z", "1d", "2026-03-08T16:00Z"),
        (4, NEW_YORK, "2026-03-07T17:00Z", "24h", "2026-03-08T17:00Z"),
        (5, BERLIN, "2026-10-24T07:00Z", "1d", "2026-10-25T08:00Z"),
        (6, BERLIN, "2026-03-27T17:00Z", "3d", "2026-03-30T16:00Z"),
        (7, NEW_YORK, "2026-03-07T07:30Z", "1d", "2026-03-08T07:30Z"),
        (8, NEW_YORK, "2026-03-07T16:30Z", "1d2h", "2026-03-08T17:30Z"),
        (9, BERLIN, "2026-01-31T09:00Z", "1mo", "2026-02-28T09:00Z"),
        (9, BERLIN, "2026-02-28T09:00Z", "1mo", "2026-03-28T09:00Z"),
        (9, BERLIN, "2026-01-31T09:00Z", "2mo", "2026-03-31T08:00Z"),
    ],
)
def test_a_wait_ends_where_the_scenario_says_when_clocks_and_months_change(
    scenario: int, zone: ZoneInfo, start: str, wait: str, end: str
) -> None:
    reached = add_calendar(datetime.fromisoformat(start), parse_duration(wait), zone)
    assert reached == datetime.fromisoformat(end), scenario


@pytest.mark.parametrize(
    ("scenario", "zone", "day", "clock", "instant"),
    [
        (1, "America/New_York", "2026-03-08", "02:30", "2026-03-08T07:30Z"),
        (2, "America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30Z"),
        (11, "Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30Z"),
        (11, "Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30Z"),
        (12, "Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:45Z"),
        (12, "Africa/Cairo", "2026-04-24", "00:15", "2026-04-23T22:15Z"),
        (12, "Pacific/Apia", "2011-12-30", "10:00", "2011-12-30T20:00Z"),
    ],
)
def test_a_local_clock_means_one_instant_when_it_is_skipped_or_repeated(
    scenario: int, zone: str, day: str, clock: str, instant: str
) -> None:
    meant = at_local(date.fromisoformat(day), time.fromisoformat(clock), ZoneInfo(zone))
    assert meant == datetime.fromisoformat(instant), scenario


def test_an_elapsed_length_has_fixed_days_when_a_condition_asks_for_it() -> None:
    assert parse_duration("1d").as_elapsed() == 24 * HOUR
    assert parse_duration("1w").as_elapsed() == 168 * HOUR
    assert parse_duration("1mo").as_elapsed() == 30 * 24 * HOUR
    assert parse_duration("1y2mo3w4d5h6m7s").as_elapsed() == timedelta(days=365 + 60 + 21 + 4, hours=5, seconds=367)


def test_an_offset_points_backwards_when_it_has_a_minus_sign() -> None:
    assert parse_offset("-1mo2d") == Duration(months=-1, days=-2)
    start = datetime(2026, 3, 31, 8, tzinfo=UTC)
    assert add_calendar(start, parse_offset("-1mo"), BERLIN) == datetime(2026, 2, 28, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "1", "d", "1x", "-1d", "1 d", "1d ", "1d\n", "1.5d", "\u0661d", "101y", "9" * 5000 + "d"]
)
def test_a_text_is_refused_when_it_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidDurationError) as caught:
        parse_duration(text)
    assert not isinstance(caught.value, DurationOrderError)


@pytest.mark.parametrize(
    ("text", "ordered"), [("3h2d", "2d3h"), ("1m2mo", "2mo1m"), ("1d2d", ""), ("1s1m1h", "1h1m1s")]
)
def test_the_right_order_is_told_when_units_do_not_descend(text: str, ordered: str) -> None:
    with pytest.raises(DurationOrderError) as caught:
        parse_duration(text)
    assert caught.value.ordered == ordered


def test_a_zone_is_unknown_when_it_is_no_place_of_the_iana_list() -> None:
    assert find_zone("Europe/Berlin") == BERLIN
    for name in ("Mars/Base", "europe/berlin", "right/Europe/Berlin", "localtime", "", "../../etc/passwd"):
        assert find_zone(name) is None


_SMALL = st.integers(0, 30)
_DURATIONS = st.builds(Duration, st.integers(0, 5), _SMALL, _SMALL, _SMALL, _SMALL, _SMALL, _SMALL)
_ZONES = st.sampled_from(sorted(known_zones())).map(ZoneInfo)
_INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@given(_DURATIONS)
def test_a_duration_is_itself_again_when_it_is_written_and_read(duration: Duration) -> None:
    assert parse_duration(str(duration)) == duration


@given(_INSTANTS, st.integers(0, 10_000), st.integers(0, 10_000), _ZONES)
def test_only_time_passes_when_a_duration_has_no_date_part(
    start: datetime, hours: int, seconds: int, zone: ZoneInfo
) -> None:
    duration = Duration(hours=hours, seconds=seconds)
    assert add_calendar(start, duration, zone) - start == timedelta(hours=hours, seconds=seconds)


@given(_INSTANTS, st.integers(0, 400), _ZONES)
def test_the_wall_clock_is_kept_when_days_are_added_unless_it_is_skipped_there(
    start: datetime, days: int, zone: ZoneInfo
) -> None:
    end = add_calendar(start, Duration(days=days), zone)
    wanted = start.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    shown = end.astimezone(zone).replace(tzinfo=None)
    if shown != wanted:
        # Skipped: nobody's clock shows it, and it was moved forward by the gap.
        gap = shown - wanted
        assert timedelta() < gap <= 24 * HOUR
        before, after = (end - gap).astimezone(zone), end.astimezone(zone)
        assert after.utcoffset() - before.utcoffset() == gap  # type: ignore[operator] # a zone always has an offset
    # Of a clock that is shown twice, the first.
    assert end.astimezone(zone).fold == 0 or days == 0


@given(_INSTANTS, _DURATIONS, _ZONES)
def test_one_month_more_is_never_earlier_when_everything_else_is_equal(
    start: datetime, duration: Duration, zone: ZoneInfo
) -> None:
    longer = Duration(duration.years, duration.months + 1, duration.weeks, duration.days)
    shorter = Duration(duration.years, duration.months, duration.weeks, duration.days)
    assert add_calendar(start, longer, zone) > add_calendar(start, shorter, zone)


@given(_INSTANTS, st.integers(1, 60), _ZONES)
def test_months_are_counted_from_the_start_when_a_month_is_shorter(
    start: datetime, months: int, zone: ZoneInfo
) -> None:
    local = start.astimezone(zone)
    end = add_calendar(start, Duration(months=months), zone).astimezone(zone)
    assert end.day <= local.day or end.date() - timedelta(days=1) == end.replace(day=local.day).date()
    assert (end.year * 12 + end.month) - (local.year * 12 + local.month) == months or end.day == 1
