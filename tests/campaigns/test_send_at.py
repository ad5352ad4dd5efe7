"""`send_at` of a campaign: everybody's own hour."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from campaigns.launch import launch_campaign
from campaigns.moments import next_clock
from campaigns.schedule import Occurrence
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.tables import profile
from customers.workspace import get_workspace
from delivery.tables import message
from tests.campaigns.shop import NOW, open_shop

PLAIN = "campaign: plain\nto: {segment: newsletter}\nsend: manual\nemail: plain\n"


def shop(runtime: Runtime, words: str) -> list[int]:
    """Alice in London, Bob in New York, Carol nowhere; it is nine by the clock of the shop, which is in London."""
    open_shop(runtime, PLAIN + words, people=3)
    with runtime.database.transaction() as connection:
        ids = list(connection.scalars(select(profile.c.id).order_by(profile.c.id)))
        for number, zone in zip(ids, ("Europe/London", "America/New_York", None), strict=True):
            connection.execute(update(profile).where(profile.c.id == number).values(timezone=zone))
    return ids


def read_at(runtime: Runtime, profile_id: int, hours: list[datetime]) -> None:
    """Somebody has clicked at these instants."""
    events = [
        NewEvent("link_clicked", at, "test", f"click-{profile_id}-{place}", profile_id, {"is_human": True})
        for place, at in enumerate(hours)
    ]
    with runtime.database.transaction() as connection:
        append_events(connection, runtime.vault, get_workspace(connection), events, NOW)


def due(runtime: Runtime, ids: list[int]) -> list[tuple[str, str | None]]:
    launch_campaign(runtime, "plain", Occurrence(NOW), NOW)
    with runtime.database.read() as connection:
        rows = {row.profile_id: row for row in connection.execute(select(message))}
    return [
        (f"{rows[one].due_at:%d %H:%M}", f"{rows[one].expires_at:%d %H:%M}" if rows[one].expires_at else None)
        for one in ids
    ]


def test_everybody_is_due_when_their_own_clock_shows_the_time(runtime: Runtime) -> None:
    ids = shop(runtime, 'send_at: "08:30"\nexpires_after: 2h\n')
    assert due(runtime, ids) == [("11 07:30", "11 09:30"), ("10 12:30", "10 14:30"), ("11 07:30", "11 09:30")]


def test_everybody_is_due_at_the_hour_at_which_they_read(runtime: Runtime) -> None:
    ids = shop(runtime, "send_at: best_time\nexpires_after: 20h\n")
    for number, hour in zip(ids, (17, 17), strict=False):  # alice at 18:00 by her clock, bob at 13:00
        read_at(runtime, number, [NOW.replace(hour=hour) - timedelta(days=days) for days in range(1, 7)])
    # Carol at everybody's hour: of two that weigh the same the earlier.
    assert due(runtime, ids) == [("10 17:00", "11 04:00"), ("10 17:00", "11 04:00"), ("10 12:00", "11 04:00")]


def test_the_campaign_goes_out_now_where_nobody_knows_an_hour_or_it_is_too_late_by_then(runtime: Runtime) -> None:
    ids = shop(runtime, "send_at: best_time\nexpires_after: 2h\n")
    read_at(runtime, ids[0], [NOW.replace(hour=17) - timedelta(days=days) for days in range(1, 7)])
    assert {instant for instant, _ in due(runtime, ids)} == {"10 08:00"}


@pytest.mark.parametrize(
    ("at", "clock", "zone", "expected"),
    [
        ("2026-03-29T00:00+00:00", "02:30", "Europe/Berlin", "2026-03-29T01:30+00:00"),
        ("2026-10-25T00:45+00:00", "02:30", "Europe/Berlin", "2026-10-26T01:30+00:00"),
        ("2011-12-30T09:00+00:00", "10:00", "Pacific/Apia", "2011-12-30T20:00+00:00"),
        ("2026-06-10T06:00+00:00", "08:00", "Europe/Berlin", "2026-06-10T06:00+00:00"),
    ],
)
def test_a_time_of_day_is_the_next_by_the_persons_clock(at: str, clock: str, zone: str, expected: str) -> None:
    instant = datetime.fromisoformat
    found = next_clock(instant(at), time.fromisoformat(clock), ZoneInfo(zone))
    assert found == instant(expected)
