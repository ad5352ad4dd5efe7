"""When a message may go out: quiet hours, send windows and closed days, by the wall clock of each person."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.sending.words import HEAD, NIGHT, endings, one_mail
from tests.journeys.town import WORKSPACE

BY_DAY = "send_window: {email: {mon: ['09:00-18:00'], tue: ['09:00-18:00']}}\n"
BY_TEN = "quiet_hours: {from: 18:00, to: 10:00}"


@pytest.mark.parametrize(
    ("start", "hours", "sent"),
    [
        ("2026-03-08T04:00", "{from: 22:00, to: 08:00}", "2026-03-08T12:00"),  # 18: eight hours, not nine
        ("2026-03-08T06:30", "{from: 22:00, to: 02:30}", "2026-03-08T07:00"),  # 19: the clock jumps past the end
        ("2026-11-01T05:00", "{from: 22:00, to: 01:30}", "2026-11-01T05:30"),  # 20: the first 01:30
        ("2026-11-01T06:10", "{from: 22:00, to: 01:30}", "2026-11-01T06:30"),  # 20: the repeated hour closes again
        ("2026-06-10T12:00", "{from: 22:00, to: 08:00}", "2026-06-10T12:00"),  # 21: at 08:00:00 sharp it is sent
        ("2026-06-11T02:00", "{from: 22:00, to: 08:00}", "2026-06-11T12:00"),  # 21: at 22:00:00 sharp it is held
        ("2026-06-10T16:00", "{from: 22:00, to: 06:00}", "2026-06-10T16:00"),  # 27: the day is not the night
    ],
)
def test_a_message_leaves_when_quiet_hours_end_on_the_persons_clock(
    make_town: MakeTown, start: str, hours: str, sent: str
) -> None:
    """Scenarios 18 to 21 and 27."""
    town = make_town(start)
    town.person("alice", timezone="America/New_York")
    town.journey(one_mail(f"quiet_hours: {hours}\n"))
    town.log("signed_up", "alice")
    town.run_until("2026-12-01T00:00")
    assert town.sends() == [(sent, "first")]


def test_a_message_is_sent_when_quiet_hours_begin_a_millisecond_later(make_town: MakeTown) -> None:
    """Scenario 21."""
    town = make_town("2026-06-01T21:59:59.999")
    town.person("alice")
    town.journey(one_mail(NIGHT))
    town.log("signed_up", "alice")
    town.work()
    assert endings(town) == [("sent", None)]


@pytest.mark.parametrize(
    ("due", "sent"),
    [
        ("2026-06-01T12:00", "2026-06-01T12:00"),
        ("2026-06-01T05:59", "2026-06-01T06:00"),
        ("2026-06-01T21:59", "2026-06-01T21:59"),
        ("2026-06-01T22:00", "2026-06-02T06:00"),
    ],
)
def test_hours_over_midnight_are_the_night_and_not_the_day(make_town: MakeTown, due: str, sent: str) -> None:
    """Scenario 27."""
    town = make_town(due)
    town.person("alice")
    town.journey(one_mail("quiet_hours: {from: 22:00, to: 06:00}\n"))
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T00:00")
    assert town.sends() == [(sent, "first")]


@pytest.mark.parametrize(
    ("otherwise", "start", "sent", "reason"),
    [
        ("use_default", "2026-06-01T21:00", [("2026-06-02T06:00", "first")], None),
        ("send", "2026-06-01T21:00", [("2026-06-01T21:00", "first")], None),
        ("skip", "2026-06-01T12:00", [], "no_timezone"),
    ],
)
def test_a_person_without_a_zone_is_treated_as_the_rule_says(
    make_town: MakeTown, otherwise: str, start: str, sent: list[tuple[str, str]], reason: str | None
) -> None:
    """Scenario 26."""
    town = make_town(start, WORKSPACE.replace("timezone: UTC", "timezone: Europe/Berlin"))
    town.person("alice", timezone=None)
    town.journey(one_mail(NIGHT.replace("}", f", no_timezone: {otherwise}}}")))
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T00:00")
    assert town.sends() == sent
    assert endings(town)[0][1] == reason


def test_a_held_message_follows_the_person_when_the_zone_changes_meanwhile(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T22:00")
    for name in ("alice", "bob"):
        town.person(name, timezone="UTC")
    town.journey(one_mail(NIGHT))
    for name in ("alice", "bob"):
        town.log("signed_up", name)
    town.run_until("2026-06-01T23:00")
    town.move("alice", "Asia/Tokyo")  # where it is eight in the morning
    town.move("bob", "America/New_York")
    town.run_until("2026-06-03T00:00")
    assert town.sends("alice") == [("2026-06-01T23:00", "first")]
    assert town.sends("bob") == [("2026-06-01T23:00", "first")]  # seven in the evening


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("send_window: {email: {mon: ['09:00-12:00', '14:00-18:00']}}", "2026-06-01T14:00"),
        ("send_window: {email: {mon: ['09:00-12:00'], wed: ['10:00-11:00']}}", "2026-06-03T10:00"),
        ("send_window: {email: {mon: ['22:00-02:00']}}", "2026-06-01T22:00"),
        ("send_window: {sms: {fri: ['10:00-11:00']}}", "2026-06-01T12:00"),
        ("closed: [{name: feast, from: 2026-06-01, to: 2026-06-03}]", "2026-06-03T00:00"),
        ("closed: [{from: 2026-06-01T10:00, to: 2026-06-01T15:30}]", "2026-06-01T15:30"),
        ("closed: [{from: 2026-06-01, to: 2026-06-03, channels: [sms]}]", "2026-06-01T12:00"),
        (f"{BY_DAY}closed: [{{from: 2026-06-01, to: 2026-06-02}}]\n{BY_TEN}", "2026-06-02T10:00"),
    ],
)
def test_a_message_waits_for_its_window_and_for_the_end_of_closed_days(
    make_town: MakeTown, words: str, sent: str
) -> None:
    town = make_town("2026-06-01T12:00")  # a Monday
    town.person("alice")
    town.journey(one_mail(words + "\n"))
    town.log("signed_up", "alice")
    town.run_until("2026-06-12T00:00")
    assert town.sends() == [(sent, "first")]


def test_a_message_is_skipped_as_closed_when_its_window_never_opens(make_town: MakeTown) -> None:
    town = make_town()
    town.person("alice")
    town.journey(one_mail("send_window: {email: {}}\n"))
    town.log("signed_up", "alice")
    town.work()
    assert endings(town) == [("skipped", "closed")]
    assert town.enrolments()[0].step == "rest"


def test_no_message_leaves_before_its_condition_was_asked_again_when_delivery_is_faster(make_town: MakeTown) -> None:
    """Delivery may look at a message whose hold has ended before the journey does: it leaves it alone."""
    town = make_town("2026-06-01T23:00")
    town.person("alice", tier="gold")
    town.journey(
        f"journey: night\n{HEAD}{NIGHT}steps: [{{id: first, if: {{attribute: tier, is: gold}}, email: one}}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    town.set("alice", tier="tin")
    town.clock.move_to(town.clock.now().replace(day=2, hour=8))
    town.deliver_alone()
    assert town.sends() == []
    town.work()
    assert endings(town) == [("cancelled", "if")]
