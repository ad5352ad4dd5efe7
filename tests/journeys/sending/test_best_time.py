"""Messages that wait for the hour at which somebody mostly reads, or for a time of day."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.sending.words import HEAD
from tests.journeys.town import Town

QUIET = "quiet_hours: {from: 21:00, to: 08:00}\n"


def reads_at(town: Town, person: str, hour: str, count: int, *, is_human: bool = True) -> None:
    """Some clicks at an hour (UTC) of the days before the first of June."""
    for day in range(count):
        town.log("link_clicked", person, occurred=f"2026-05-{20 + day}T{hour}:10", is_human=is_human)


def best(extra: str = "", option: str = "") -> str:
    mail = f"{{id: first, email: one, send_at: best_time{option}}}"
    return f"journey: best\n{HEAD}{extra}steps: [{mail}, {{id: rest, wait: 9d}}]\n"


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ("", "2026-06-11T17:00"),
        (", expires_after: 12h", "2026-06-10T18:30"),
        (", expires_after: 23h", "2026-06-10T18:30"),  # the hour would end half an hour after it
        (", expires_after: 24h", "2026-06-11T17:00"),
    ],
)
def test_a_message_waits_for_the_hour_at_which_its_reader_reads(make_town: MakeTown, option: str, sent: str) -> None:
    """Scenario 76."""
    town = make_town("2026-06-10T18:30")
    town.person("alice", timezone="Europe/Berlin")
    reads_at(town, "alice", "17", 6)
    town.journey(best(QUIET, option))
    town.log("signed_up", "alice")
    town.run_until("2026-06-13T00:00")
    assert town.sends() == [(sent, "first")]
    (chosen,) = [one.data for one in town.entries("alice") if one.kind == "best_time"]
    assert (chosen["hour"], chosen["basis"]) == (19, "own")


def test_it_is_everybodys_hour_when_too_little_is_known_of_the_reader_and_machines_do_not_count(
    make_town: MakeTown,
) -> None:
    town = make_town("2026-06-02T06:30")
    for name in ("alice", "bob", "carol"):
        town.person(name)
    reads_at(town, "alice", "20", 4)  # one too few
    reads_at(town, "bob", "11", 7)
    reads_at(town, "carol", "15", 9, is_human=False)
    town.journey(best())
    town.log("signed_up", "alice")
    town.run_until("2026-06-04T00:00")
    assert town.sends() == [("2026-06-02T11:00", "first")]
    assert any("most people read between 11:00 and 12:00" in line for line in town.story("alice", "best"))


def test_a_message_goes_now_when_nothing_is_known_of_anybody(make_town: MakeTown) -> None:
    town = make_town("2026-06-02T06:30")
    town.person("alice")
    town.journey(best())
    town.log("signed_up", "alice")
    town.work()
    assert town.sends() == [("2026-06-02T06:30", "first")]


def test_a_message_waits_for_a_time_of_day_by_the_readers_clock(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    town.person("alice", timezone="Europe/Berlin")
    town.journey(f'journey: clock\n{HEAD}steps: [{{id: first, email: one, send_at: "17:30"}}]\n')
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T00:00")
    assert town.sends() == [("2026-06-01T15:30", "first")]
