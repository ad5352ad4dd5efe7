"""Send windows and closed days: the earliest open instant, by the clocks of every zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.zones import known_zones
from customers.consent import ConsentStatus
from delivery.policy import Drop, Fallback, Hold, HoursRule, MessageFacts, QuietRule, Reason, Send, decide
from delivery.quiet_hours import QuietHours
from delivery.send_window import WEEKDAYS, Closed, SendHours, opens_at, read_hours, write_window
from delivery.tables import MessageKind

NEW_YORK, BERLIN, APIA = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia")
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def closed(start: str, end: str) -> str:
    return str(Closed(datetime.fromisoformat(start), datetime.fromisoformat(end)))


@pytest.mark.parametrize(
    ("window", "days", "zone", "asked", "opens"),
    [
        # A Sunday on which two o'clock does not exist: the window begins when the clock jumps into it.
        ("sun 02:30-04:00", (), NEW_YORK, "2026-03-08T06:00", "2026-03-08T07:00"),
        # One on which half past one comes twice: the second one is open as well.
        ("sun 01:30-02:00", (), NEW_YORK, "2026-11-01T06:00", "2026-11-01T06:30"),
        ("mon 09:00-12:00 14:00-18:00", (), BERLIN, "2026-06-01T10:00", "2026-06-01T12:00"),
        ("mon 09:00-12:00", (), BERLIN, "2026-06-01T10:00", "2026-06-08T07:00"),
        ("fri 22:00-02:00", (), BERLIN, "2026-06-05T23:59:59", "2026-06-05T23:59:59"),
        ("fri 22:00-02:00", (), BERLIN, "2026-06-06T00:00", "2026-06-12T20:00"),  # two o'clock is outside
        ("sat 00:00-24:00", (), BERLIN, "2026-06-05T21:59", "2026-06-05T22:00"),
        ("", (), BERLIN, "2026-06-05T21:59", None),
        (None, (closed("2026-12-24", "2026-12-27"),), BERLIN, "2026-12-23T23:00", "2026-12-26T23:00"),
        (None, (closed("2026-12-24", "2026-12-27"),), BERLIN, "2026-12-23T22:59", "2026-12-23T22:59"),
        (None, (closed("2026-12-24", "2026-12-26"), closed("2026-12-25", "2026-12-28")), BERLIN, "2026-12-24T09:00",
         "2026-12-27T23:00"),
        # The thirtieth of December 2011 was left out in Apia.
        (None, (closed("2011-12-29", "2011-12-31"),), APIA, "2011-12-29T20:00", "2011-12-30T10:00"),
        ("thu 10:00-11:00", (closed("2026-01-01", "2026-12-24"),), BERLIN, "2026-01-01T09:00", "2026-12-24T09:00"),
    ],
)  # fmt: skip
def test_it_opens_at_the_earliest_instant_that_window_and_calendar_allow(
    window: str | None, days: tuple[str, ...], zone: ZoneInfo, asked: str, opens: str | None
) -> None:
    assert opens_at(utc(asked), read_hours(window, days), zone) == (utc(opens) if opens else None)


def test_a_window_is_written_in_the_order_of_the_week_whatever_the_file_says() -> None:
    assert write_window({"sun": ["10:00-12:00"], "mon": ["09:00-12:00", "14:00-18:00"], "tue": []}) == (
        "mon 09:00-12:00 14:00-18:00, sun 10:00-12:00"
    )


clocks = st.integers(0, 24 * 4 - 1).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
ranges = st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]).map("-".join)
windows = st.dictionaries(st.sampled_from(WEEKDAYS), st.lists(ranges, min_size=1, max_size=3), min_size=1, max_size=4)
instants = st.integers(0, 6 * 366 * 24 * 60).map(lambda minutes: utc("2022-01-01T00:00") + minutes * MINUTE)
zones = st.sampled_from(sorted(known_zones())).map(ZoneInfo)


def _shows_open(hours: SendHours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    assert hours.week is not None
    return any(start <= minute < end for start, end in hours.week[local.weekday()])


@given(windows, instants, zones)
def test_the_clock_shows_an_open_hour_when_it_opens_and_none_before(
    window: dict[str, list[str]], asked: datetime, zone: ZoneInfo
) -> None:
    hours = read_hours(write_window(window), ())
    opens = opens_at(asked, hours, zone)
    assert opens is not None
    assert _shows_open(hours, opens.astimezone(zone))
    probe = asked
    while probe < opens:
        assert not _shows_open(hours, probe.astimezone(zone))
        probe += 11 * MINUTE


@given(instants, clocks, clocks, windows, zones)
def test_nothing_is_ever_sent_in_quiet_hours_or_outside_the_window_in_any_zone(
    now: datetime, start: str, end: str, window: dict[str, list[str]], zone: ZoneInfo
) -> None:
    """Asked again whenever a hold ends, as delivery does."""
    quiet = QuietHours(time.fromisoformat(start), time.fromisoformat(end))
    hours = read_hours(write_window(window), ())
    facts = MessageFacts(
        MessageKind.MARKETING,
        False,
        True,
        False,
        ConsentStatus.GRANTED,
        zone=zone,
        hours=HoursRule(hours, BERLIN),
        quiet=QuietRule(quiet, True, Fallback.USE_DEFAULT, BERLIN),
    )
    for _ in range(60):
        decision = decide(facts, now)
        if isinstance(decision, Send):
            local = now.astimezone(zone)
            assert not quiet.contains(local.time())
            assert _shows_open(hours, local)
            return
        assert isinstance(decision, Hold)
        assert decision.until > now
        now = decision.until


def test_closed_comes_before_quiet_hours_and_a_window_that_never_opens_drops() -> None:
    quiet = QuietRule(QuietHours(time(0), time(23, 59)), False, Fallback.USE_DEFAULT, BERLIN)
    base = MessageFacts(MessageKind.MARKETING, False, True, False, ConsentStatus.GRANTED, quiet=quiet)
    now = utc("2026-06-01T10:00")
    assert decide(base, now) == Drop(Reason.QUIET_HOURS)
    shut = MessageFacts(
        MessageKind.MARKETING, False, True, False, ConsentStatus.GRANTED, quiet=quiet,
        hours=HoursRule(read_hours(None, (closed("2026-06-01", "2026-06-02"),)), BERLIN),
    )  # fmt: skip
    assert decide(shut, now) == Hold(utc("2026-06-01T22:00"), Reason.CLOSED, "Europe/Berlin")
    never = MessageFacts(
        MessageKind.TRANSACTIONAL,
        False,
        True,
        False,
        ConsentStatus.UNKNOWN,
        hours=HoursRule(read_hours("", ()), BERLIN),
    )
    assert decide(never, now) == Drop(Reason.CLOSED)
