"""When a campaign is sent: the scenarios by number, and the laws that hold for every schedule."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.schedule import (
    Every,
    Misfire,
    Occurrence,
    Schedule,
    due_for_zone,
    due_occurrences,
    iter_occurrences,
    next_occurrence,
)

BERLIN = ZoneInfo("Europe/Berlin")
LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def launches(schedule: Schedule, zone: ZoneInfo, since: str, count: int) -> list[str]:
    found = islice(iter_occurrences(schedule, zone, at(since)), count)
    return [f"{one.launch_at:%Y-%m-%dT%H:%MZ}" for one in found]


def test_scenario_10_everybody_is_due_on_their_own_clock_when_a_moment_is_local() -> None:
    schedule = Schedule(at=at("2026-05-01T09:00"), is_local=True)
    occurrence = next_occurrence(schedule, BERLIN, at("2026-04-01T00:00Z"))
    assert occurrence is not None
    assert occurrence.launch_at == at("2026-04-30T19:00Z")
    places = {
        "Pacific/Kiritimati": "04-30T19:00Z",
        "Asia/Tokyo": "05-01T00:00Z",
        "Europe/Berlin": "05-01T07:00Z",
        "America/Los_Angeles": "05-01T16:00Z",
        "Pacific/Pago_Pago": "05-01T20:00Z",
    }

    def due(now: str) -> dict[str, str]:
        found = {name: due_for_zone(schedule, occurrence, ZoneInfo(name), at(now)) for name in places}
        return {name: f"{instant:%m-%dT%H:%MZ}" for name, instant in found.items() if instant}

    assert due("2026-04-30T19:00Z") == places
    late = due("2026-05-01T06:00Z")
    assert late == {**places, "Pacific/Kiritimati": "05-01T06:00Z", "Asia/Tokyo": "05-01T06:00Z"}
    # A day and more late: too late where the day began first.
    assert due("2026-05-01T23:59Z").keys() == places.keys() - {"Pacific/Kiritimati"}
    assert due("2026-05-02T00:00Z").keys() == places.keys() - {"Pacific/Kiritimati", "Asia/Tokyo"}


def test_scenario_11_a_daily_local_send_comes_once_a_date_when_the_clocks_change() -> None:
    schedule = Schedule(every=Every.DAY, clock=time(2, 30), is_local=True)

    def due(first: date) -> list[str]:
        walls = [datetime.combine(first + DAY * day, time(2, 30)) for day in range(3)]
        found = [
            due_for_zone(schedule, Occurrence.of_key(wall.isoformat()), BERLIN, at("2026-01-01T00:00Z"))
            for wall in walls
        ]
        return [f"{instant:%H:%MZ}" for instant in found if instant]

    assert due(date(2026, 3, 28)) == ["01:30Z", "01:30Z", "00:30Z"]
    assert due(date(2026, 10, 24)) == ["00:30Z", "00:30Z", "01:30Z"]


def test_the_workspace_clock_counts_when_a_send_is_not_local() -> None:
    schedule = Schedule(every=Every.DAY, clock=time(2, 30))
    assert launches(schedule, BERLIN, "2026-03-28T00:00Z", 3) == [
        "2026-03-28T01:30Z",
        "2026-03-29T01:30Z",
        "2026-03-30T00:30Z",
    ]


def test_a_skipped_date_is_sent_once_when_two_dates_begin_at_one_instant() -> None:
    """Scenario 12: Apia had no 30 December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    schedule = Schedule(every=Every.DAY, clock=time(10), is_local=True)
    now = at("2011-12-29T00:00Z")
    due = [due_for_zone(schedule, Occurrence.of_key(f"2011-12-{day}T10:00"), apia, now) for day in ("29", "30", "31")]
    assert due == [at("2011-12-29T20:00Z"), None, at("2011-12-30T20:00Z")]
    assert launches(Schedule(every=Every.DAY, clock=time(10)), apia, "2011-12-29T12:00Z", 3) == [
        "2011-12-29T20:00Z",
        "2011-12-30T20:00Z",
        "2011-12-31T20:00Z",
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (
            Schedule(every=Every.WEEK, weekdays=frozenset({2, 4}), clock=time(9)),
            ["2026-06-10T08:00Z", "2026-06-12T08:00Z", "2026-06-17T08:00Z"],
        ),
        (
            Schedule(every=Every.MONTH, day=31, clock=time(9)),
            ["2026-07-31T08:00Z", "2026-08-31T08:00Z", "2026-10-31T09:00Z"],
        ),
        (
            Schedule(every=Every.HOUR, clock=time(0, 15)),
            ["2026-06-10T00:15Z", "2026-06-10T01:15Z", "2026-06-10T02:15Z"],
        ),
        (
            Schedule(every=Every.DAY, clock=time(9), start=at("2026-06-11"), end=at("2026-06-13")),
            ["2026-06-11T08:00Z", "2026-06-12T08:00Z"],
        ),
        (Schedule(at=at("2026-06-10T09:00+05:00")), ["2026-06-10T04:00Z"]),
    ],
)
def test_occurrences_follow_the_rhythm_when_they_are_listed(schedule: Schedule, expected: list[str]) -> None:
    assert launches(schedule, LONDON, "2026-06-10T00:00Z", 3) == expected


def test_every_hour_is_every_real_hour_when_the_clocks_change() -> None:
    schedule = Schedule(every=Every.HOUR, clock=time(0, 0))
    assert launches(schedule, BERLIN, "2026-10-24T23:30Z", 4) == [
        "2026-10-25T00:00Z",
        "2026-10-25T01:00Z",
        "2026-10-25T02:00Z",
        "2026-10-25T03:00Z",
    ]


def due_keys(schedule: Schedule, since: str, now: str) -> list[str]:
    return [one.key for one in due_occurrences(schedule, LONDON, since=at(since), now=at(now))]


def test_only_the_latest_missed_occurrence_runs_when_the_engine_was_down() -> None:
    daily = Schedule(every=Every.DAY, clock=time(9))
    assert due_keys(daily, "2026-06-01T00:00Z", "2026-06-10T12:00Z") == ["2026-06-10T08:00:00Z"]
    assert due_keys(daily, "2026-06-01T00:00Z", "2026-06-10T07:59Z") == ["2026-06-09T08:00:00Z"]


def test_a_missed_moment_lapses_when_it_is_a_day_late() -> None:
    once = Schedule(at=at("2026-06-10T09:00"))
    assert due_keys(once, "2026-01-01T00:00Z", "2026-06-11T07:59Z") == ["2026-06-10T08:00:00Z"]
    assert due_keys(once, "2026-01-01T00:00Z", "2026-06-11T08:00Z") == []


def test_a_missed_moment_is_left_out_when_misfires_are_skipped() -> None:
    once = Schedule(at=at("2026-06-10T09:00"), misfire=Misfire.SKIP)
    assert due_keys(once, "2026-01-01T00:00Z", "2026-06-10T08:09Z") == ["2026-06-10T08:00:00Z"]
    assert due_keys(once, "2026-01-01T00:00Z", "2026-06-10T08:11Z") == []


def test_nothing_is_due_when_the_occurrence_was_before_the_publication() -> None:
    daily = Schedule(every=Every.DAY, clock=time(9))
    assert due_keys(daily, "2026-06-10T10:00Z", "2026-06-10T12:00Z") == []


zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]).map(
    ZoneInfo
)
instants = st.integers(1_735_700_000, 1_861_900_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
rhythms = st.one_of(
    st.builds(Schedule, every=st.just(Every.HOUR), clock=clocks),
    st.builds(Schedule, every=st.just(Every.DAY), clock=clocks, is_local=st.booleans()),
    st.builds(
        Schedule,
        every=st.just(Every.WEEK),
        clock=clocks,
        weekdays=st.frozensets(st.integers(0, 6), min_size=1),
        is_local=st.booleans(),
    ),
    st.builds(Schedule, every=st.just(Every.MONTH), clock=clocks, day=st.integers(1, 31), is_local=st.booleans()),
)


@given(rhythms, zones, instants)
def test_occurrences_rise_and_keep_their_names_when_a_rhythm_goes_on(
    schedule: Schedule, zone: ZoneInfo, since: datetime
) -> None:
    found = list(islice(iter_occurrences(schedule, zone, since), 6))
    times = [one.launch_at for one in found]
    assert len(found) == 6
    assert times == sorted(set(times))
    assert times[0] >= since
    assert [Occurrence.of_key(one.key) for one in found] == found
    following = next_occurrence(schedule, zone, times[2])
    assert following == found[3]


@given(rhythms, zones, instants, st.timedeltas(timedelta(), timedelta(days=400)))
def test_whatever_is_due_has_begun_and_is_not_a_day_old_when_the_schedule_is_asked(
    schedule: Schedule, zone: ZoneInfo, since: datetime, later: timedelta
) -> None:
    now = since + later
    due = due_occurrences(schedule, zone, since=since, now=now)
    for occurrence in due:
        assert since <= occurrence.launch_at <= now
    if not schedule.is_local:
        assert len(due) <= 1
        assert all(now - occurrence.launch_at < timedelta(hours=24) for occurrence in due)


@given(rhythms.filter(lambda rhythm: rhythm.is_local), zones, instants)
def test_nobody_is_late_for_two_occurrences_at_once_when_a_send_is_local(
    schedule: Schedule, zone: ZoneInfo, now: datetime
) -> None:
    due = due_occurrences(schedule, zone, since=now - timedelta(days=60), now=now)
    late = [one for one in due if due_for_zone(schedule, one, zone, now) == now]
    assert len(late) <= 1
