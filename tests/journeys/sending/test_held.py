"""Messages that are held: the step goes on when they end, whichever way that is."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.sending.words import HEAD, NIGHT, endings, one_mail


def test_the_next_wait_counts_from_the_real_send_when_quiet_hours_held_the_message(make_town: MakeTown) -> None:
    """Scenario 22."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    town.journey(
        f"journey: night\n{HEAD}{NIGHT}"
        "steps: [{id: first, email: one}, {id: hour, wait: 1h}, {id: second, email: two}]\n"
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T12:00")
    assert town.sends() == [("2026-06-02T08:00", "first"), ("2026-06-02T09:00", "second")]


def test_a_held_message_is_cancelled_when_the_goal_ends_the_run(make_town: MakeTown) -> None:
    """Scenario 23."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    town.journey(one_mail(NIGHT + "goal: {event: order_placed, exit: true}\n"))
    town.log("signed_up", "alice")
    town.plan("2026-06-02T03:00", lambda: town.log("order_placed", "alice", total=1))
    town.run_until("2026-06-02T12:00")
    assert town.sends() == []
    assert town.runs() == [("ended", "goal")]
    assert endings(town) == [("cancelled", "goal")]


@pytest.mark.parametrize("condition", ["", "if: {attribute: tier, is: gold}, "])
def test_the_flow_goes_on_at_the_moment_of_expiry_when_a_held_message_lapses(
    make_town: MakeTown, condition: str
) -> None:
    """Scenario 24."""
    town = make_town("2026-06-01T23:00")
    town.person("alice", tier="gold")
    mail = f"{{id: first, {condition}email: one, expires_after: 3h}}"
    town.journey(f"journey: night\n{HEAD}{NIGHT}steps: [{mail}, {{id: rest, wait: 9d}}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T12:00")
    assert endings(town) == [("skipped", "expired")]
    assert town.due("alice") == "2026-06-11T02:00"


@pytest.mark.parametrize(
    ("on_skip", "ending"), [("continue", "completed"), ("exit", "skipped"), ("[{exit: missed}]", "missed")]
)
def test_the_flow_follows_on_skip_at_once_when_a_message_is_dropped(
    make_town: MakeTown, on_skip: str, ending: str
) -> None:
    """Scenario 25."""
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    night = NIGHT.replace("}", ", then: drop}")
    town.journey(f"journey: night\n{HEAD}{night}steps: [{{id: first, email: one, on_skip: {on_skip}}}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert endings(town) == [("skipped", "quiet_hours")]
    assert town.runs() == [("ended", ending)]
    assert f"{town.enrolments()[0].ended_at:%H:%M}" == "23:00"


def test_messages_of_a_journey_go_out_at_its_own_pace_when_it_has_a_throttle(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    names = [f"person{number}" for number in range(4)]
    for name in names:
        town.person(name)
    town.journey(one_mail("throttle: 1/m\n"))
    town.log_many([("signed_up", name, {}) for name in names])
    town.run_until("2026-06-01T09:00")
    assert sorted(instant[11:] for instant, _ in town.sends()) == ["08:00", "08:01", "08:02", "08:03"]


def test_a_throttled_message_lapses_before_its_turn_when_it_may_not_wait_so_long(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T08:00")
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(
        f"journey: slow\n{HEAD}throttle: 1/h\n"
        "steps: [{id: first, email: one, expires_after: 30m}, {id: rest, wait: 9d}]\n"
    )
    town.log_many([("signed_up", name, {}) for name in ("alice", "bob")])
    town.run_until("2026-06-02T08:00")
    assert sorted([*endings(town, "alice"), *endings(town, "bob")], key=str) == [
        ("sent", None),
        ("skipped", "expired"),
    ]
    assert sorted(str(town.due(name)) for name in ("alice", "bob")) == ["2026-06-10T08:00", "2026-06-10T08:30"]
