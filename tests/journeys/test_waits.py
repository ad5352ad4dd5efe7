"""Scenarios 1 to 9 and 15 to 17: what a wait means on everybody's own clock."""

from __future__ import annotations

from tests.journeys.conftest import MakeTown
from tests.journeys.town import at

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"


def journey(*steps: str, timezone: str = "") -> str:
    lines = "\n".join(f"  - {{id: s{number}, {step}}}" for number, step in enumerate(steps, start=1))
    return f"journey: nap\nenter: {{event: signed_up, max_age: 30d}}\n{timezone}\nsteps:\n{lines}\n"


CASES = [
    (9, BERLIN, "2026-01-31T09:00", "wait: 1mo", "2026-02-28T09:00"),
    (9, BERLIN, "2026-01-31T09:00", "wait: 2mo", "2026-03-31T08:00"),
    (7, NEW_YORK, "2026-03-07T07:30", "wait: 1d", "2026-03-08T07:30"),
    (8, NEW_YORK, "2026-03-07T16:30", "wait: 1d2h", "2026-03-08T17:30"),
    (4, NEW_YORK, "2026-03-07T17:00", "wait: 1d", "2026-03-08T16:00"),
    (4, NEW_YORK, "2026-03-07T17:00", "wait: 24h", "2026-03-08T17:00"),
    (1, NEW_YORK, "2026-03-08T06:00", "wait_until: {time: 02:30}", "2026-03-08T07:30"),
    (6, BERLIN, "2026-03-27T17:00", "wait: 3d", "2026-03-30T16:00"),
    (15, BERLIN, "2026-03-28T12:00", "wait_until: {time: 10:00, weekday: [tue, wed, thu]}", "2026-03-31T08:00"),
    (15, BERLIN, "2026-03-31T08:00", "wait_until: {time: 10:00, weekday: [tue, wed, thu]}", None),
    (5, BERLIN, "2026-10-24T07:00", "wait: 1d", "2026-10-25T08:00"),
    (2, NEW_YORK, "2026-11-01T04:00", "wait_until: {time: 01:30}", "2026-11-01T05:30"),
    (3, NEW_YORK, "2026-11-01T05:45", "wait_until: {time: 01:30}", "2026-11-02T06:30"),
]


def test_a_wait_ends_by_the_clock_of_the_profile_when_its_zone_changes_its_offset(make_town: MakeTown) -> None:
    """Scenarios 1 to 9 and 15, in the order of the calendar; each is one person in one journey. None: at once."""
    town = make_town("2026-01-01T00:00")
    for number, (_scenario, zone, _reached, step, _passes) in enumerate(CASES):
        town.person(f"person{number}", timezone=zone)
        text = journey(step).replace("journey: nap", f"journey: nap{number}")
        town.journey(text.replace("signed_up", f"started{number}"))
    for number, (scenario, _zone, reached, _step, passes) in enumerate(CASES):
        town.run_until(reached)
        town.log(f"started{number}", f"person{number}")
        town.work()
        assert town.due(f"person{number}") == passes, scenario
    town.run_until("2026-12-01T00:00")
    for number, (scenario, _zone, reached, _step, passes) in enumerate(CASES):
        (run,) = town.enrolments(f"person{number}")
        assert (run.end_reason, f"{run.ended_at:%Y-%m-%dT%H:%M}") == ("completed", passes or reached), scenario


def test_a_weekday_and_a_time_are_waited_for_and_passed_at_the_very_instant(make_town: MakeTown) -> None:
    """Scenario 15."""
    town = make_town("2026-03-28T12:00")
    town.journey(journey("wait_until: {time: 10:00, weekday: [tue, wed, thu]}"))
    for name in ("alice", "bob", "carol"):
        town.person(name, timezone=BERLIN)
    town.log("signed_up", "alice")
    town.plan("2026-03-31T08:00", lambda: town.log("signed_up", "bob"))
    town.plan("2026-03-31T08:00:01", lambda: town.log("signed_up", "carol"))
    town.run_until("2026-03-31T08:00:01")
    ended = {name: run.ended_at for name in ("alice", "bob", "carol") for run in town.enrolments(name)}
    assert ended == {"alice": at("2026-03-31T08:00"), "bob": at("2026-03-31T08:00"), "carol": None}
    assert town.due("carol") == "2026-04-01T08:00"


def test_a_second_month_is_counted_from_where_the_first_ended_when_two_waits_follow_each_other(
    make_town: MakeTown,
) -> None:
    """Scenario 9, the second half."""
    town = make_town("2026-01-31T09:00")
    town.person("alice", timezone=BERLIN)
    town.journey(journey("wait: 1mo", "wait: 1mo"))
    town.log("signed_up", "alice")
    town.run_until("2026-02-28T09:00")
    assert town.due("alice") == "2026-03-28T09:00"


def test_the_zone_of_the_journey_is_used_and_journaled_when_the_profile_has_a_zone_that_is_none(
    make_town: MakeTown,
) -> None:
    """Scenario 16."""
    town = make_town("2026-06-10T05:00")
    town.person("alice", timezone="Mars/Base")
    town.journey(journey("wait_until: {time: 10:00}", timezone=f"timezone: {BERLIN}"))
    town.log("signed_up", "alice")
    town.work()
    assert town.due("alice") == "2026-06-10T08:00"
    assert town.kinds("alice").count("timezone_fallback") == 1


def test_a_local_time_is_reckoned_anew_when_the_profile_moves_to_another_zone(make_town: MakeTown) -> None:
    """Scenario 17."""
    town = make_town("2026-06-10T04:00")
    town.person("alice", timezone=BERLIN)
    town.person("bob", timezone=BERLIN)
    town.journey(journey("wait_until: {time: 10:00}"))
    town.journey(journey("wait: 24h").replace("journey: nap", "journey: doze").replace("signed_up", "visited"))
    town.log("signed_up", "alice")
    town.log("visited", "bob")
    town.work()
    assert town.due("alice") == "2026-06-10T08:00"
    town.run_until("2026-06-10T05:00")
    town.set("alice", timezone=NEW_YORK)
    town.set("bob", timezone=NEW_YORK)
    town.work()
    assert town.due("alice") == "2026-06-10T14:00"
    assert town.due("bob") == "2026-06-11T04:00"
    town.run_until("2026-06-10T05:01")
    town.set("alice", timezone="Asia/Tokyo")  # where it is 14:01 already
    town.work()
    assert town.due("alice") == "2026-06-11T01:00"
