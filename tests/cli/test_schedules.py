"""`send:` from YAML as schedules that Prefect keeps: they strike when the campaign is due."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaigns.schedule import Schedule, iter_occurrences
from campaigns.send_words import parse_send
from cli.serving.schedules import Calendar, Cron, Interval, Timing, in_words, timing_of
from core.located import KeyPath

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
LONDON = ZoneInfo("Europe/London")
SENDS: dict[str, dict[str, Any]] = {
    "every hour": {"every": "hour", "at": "00:20"},
    "every hour of two days": {"every": "hour", "at": "00:20", "weekday": ["mon", "sat"]},
    "every day": {"every": "day", "at": "09:00"},
    "every Wednesday": {"every": "week", "weekday": "wed", "at": "09:00"},
    "the last day of long months": {"every": "month", "day": 31, "at": "18:30"},
    "a summer of Wednesdays": {
        "every": "week",
        "weekday": ["wed"],
        "at": "09:00",
        "from": "2026-06-17",
        "to": "2026-09-02",
    },
    "every hour until a moment": {"every": "hour", "at": "00:45", "to": "2026-07-01T12:45:00+02:00"},
    "on each person's clock": {"every": "week", "weekday": "sun", "at": "10:00", "local": True},
    "on each person's clock, for a month": {"every": "day", "at": "10:00", "local": True, "to": "2026-07-10"},
    "once": {"at": "2026-11-27T07:00"},
    "once on each person's clock": {"at": "2026-11-27T07:00", "local": True},
    "once at an instant": {"at": "2026-11-27T07:00:00+01:00"},
}


def schedule(send: dict[str, Any]) -> Schedule:
    def fail(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        pytest.fail(f"{code} {message}")

    parsed = parse_send(send, fail)
    assert parsed is not None
    return parsed


@pytest.mark.xdist_group("prefect")
@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_prefect_strikes_at_every_occurrence_of_a_year_when_it_keeps_the_schedule(
    send: dict[str, Any], zone: str
) -> None:
    wanted = schedule(send)
    timing = timing_of(wanted, ZoneInfo(zone), since=NOW, now=NOW)
    assert timing is not None
    ours = [
        one.launch_at
        for one in takewhile(lambda one: one.launch_at < NOW + YEAR, iter_occurrences(wanted, ZoneInfo(zone), NOW))
    ]
    assert list(strikes(timing)) == ours


def strikes(timing: Timing) -> Iterator[datetime]:
    """What Prefect's server would schedule within a year."""
    from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

    kept: CronSchedule | IntervalSchedule | RRuleSchedule
    match timing:
        case Interval():
            kept = IntervalSchedule.model_validate({"interval": timing.every, "anchor_date": timing.anchor})
        case Cron():
            kept = CronSchedule(cron=timing.line, timezone=timing.zone)
        case Calendar():
            kept = RRuleSchedule(rrule=timing.rule, timezone=timing.zone)
    start = NOW
    while found := asyncio.run(kept.get_dates(n=500, start=start, end=NOW + YEAR)):
        instants = [datetime.fromtimestamp(one.timestamp(), UTC) for one in found]
        yield from (one for one in instants if one < NOW + YEAR)
        start = instants[-1] + timedelta(seconds=1)


def test_three_kinds_of_schedule_are_used_when_sends_differ() -> None:
    kinds = {name: type(timing_of(schedule(send), LONDON, since=NOW, now=NOW)).__name__ for name, send in SENDS.items()}
    assert kinds["every hour"] == "Interval"
    assert kinds["every Wednesday"] == "Cron"
    assert kinds["a summer of Wednesdays"] == "Calendar"


@pytest.mark.parametrize(
    "send",
    [
        {"at": "2026-06-09T07:00"},
        {"every": "day", "at": "09:00", "from": "2026-05-01", "to": "2026-06-09"},
    ],
)
def test_nothing_is_scheduled_when_a_send_is_over_for_good(send: dict[str, Any]) -> None:
    assert timing_of(schedule(send), LONDON, since=NOW - YEAR, now=NOW) is None


def test_a_moment_of_this_morning_is_still_scheduled_when_it_may_run_late() -> None:
    assert timing_of(schedule({"at": "2026-06-10T07:00"}), LONDON, since=NOW, now=NOW) is not None


def test_an_interval_does_not_move_when_the_engine_restarts() -> None:
    hourly = schedule(SENDS["every hour"])
    first, later = (timing_of(hourly, LONDON, since=NOW, now=NOW + wait) for wait in (timedelta(), timedelta(hours=7)))
    assert first == later == Interval(timedelta(hours=1), NOW + timedelta(minutes=20))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("every hour of two days", "every hour at minute 20 on Monday and Saturday, Europe/London"),
        ("every Wednesday", "every Wednesday at 09:00, Europe/London"),
        ("the last day of long months", "every month on day 31 at 18:30, Europe/London"),
        (
            "a summer of Wednesdays",
            "every Wednesday at 09:00, Europe/London, from 2026-06-17, until 2026-09-02",
        ),
        ("on each person's clock", "every Sunday at 10:00, each person's own clock"),
        ("once", "once, on 2026-11-27 at 07:00, Europe/London"),
    ],
)
def test_a_schedule_is_told_in_words_when_a_marketer_looks(name: str, words: str) -> None:
    assert in_words(schedule(SENDS[name]), LONDON) == words
