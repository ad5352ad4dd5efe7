"""What `explain` tells of the worked journeys, as a marketer would read it."""

from __future__ import annotations

from collections.abc import Callable

from journeys.explaining.telling import explain, stands
from journeys.migration import migrate
from tests.journeys.conftest import MakeTown
from tests.journeys.test_traces import CART, WELCOME, Planned, plan
from tests.journeys.town import WORKSPACE, Town

Golden = Callable[[str, str], None]


def test_the_welcome_series_is_told_in_prose_when_people_are_at_all_its_places(
    make_town: MakeTown, golden: Golden
) -> None:
    town = make_town("2026-06-05T18:00")
    town.person("alice", timezone="Europe/Berlin")
    town.person("bob", consents=(), timezone=None)
    town.person("carol", timezone="America/New_York")
    town.person("dave", timezone="Mars/Base", tier="gold")
    town.journey(WELCOME)
    events: list[Planned] = [
        ("2026-06-05T20:30", "signed_up", "alice", {"source": "web"}),
        ("2026-06-05T20:30", "signed_up", "bob", {"source": "app"}),
        ("2026-06-05T20:30", "signed_up", "carol", {"source": "web"}),
        ("2026-06-06T23:00", "signed_up", "dave", {"source": "web"}),
        ("2026-06-07T09:00", "profile_completed", "alice", {}),
        ("2026-06-08T12:00", "order_placed", "carol", {"total": 1999}),
    ]
    plan(town, events)
    town.plan("2026-06-10T11:00", lambda: town.click("alice", "tips"))
    town.run_until("2026-06-13T00:00")
    golden("journeys/explain_welcome.txt", "\n".join(told(town, name, "welcome") for name in sorted(town.people)))


def test_an_abandoned_cart_is_told_in_prose_when_carts_are_left_emptied_and_bought(
    make_town: MakeTown, golden: Golden
) -> None:
    town = make_town("2026-06-01T08:00")
    town.person("alice", timezone="Europe/London")
    town.person("bob", phone="+4915112345678", consents=("email.marketing",))
    town.person("carol", phone="+4915112345678")
    town.suppress("carol")
    town.journey(CART)
    events: list[Planned] = [
        ("2026-06-01T10:00", "cart_updated", "alice", {"cart_id": "a1", "total": 30}),
        ("2026-06-01T10:40", "cart_updated", "alice", {"cart_id": "a1", "total": 45}),
        ("2026-06-01T10:45", "cart_updated", "alice", {"cart_id": "a2", "total": 25}),
        ("2026-06-01T11:00", "cart_emptied", "alice", {"cart_id": "a2"}),
        ("2026-06-01T12:00", "cart_updated", "bob", {"cart_id": "b1", "total": 20}),
        ("2026-06-01T12:00", "cart_updated", "carol", {"cart_id": "c1", "total": 99}),
        ("2026-06-01T20:00", "visited", "alice", {"page": "cart"}),
        ("2026-06-02T10:00", "cart_updated", "alice", {"cart_id": "a1", "total": 45}),
        ("2026-06-02T10:50", "order_placed", "alice", {"total": 4500}),
    ]
    plan(town, events)
    town.run_until("2026-06-05T00:00")
    golden("journeys/explain_cart.txt", "\n".join(told(town, name, "abandoned_cart") for name in sorted(town.people)))


def test_held_failed_and_late_is_told_with_its_cause_when_it_happened(make_town: MakeTown, golden: Golden) -> None:
    town = make_town("2026-06-01T20:00")
    for name in ("alice", "bob", "carol"):
        town.person(name, timezone="Europe/Berlin")
    town.broken = lambda row: "render_error" if row.step == "first" and row.profile_id == town.people["bob"] else None
    town.journey(
        """
journey: nights
enter: {event: signed_up}
quiet_hours: {from: "21:00", to: "08:00"}
defaults: {topic: marketing}
exit: [{event: cart_emptied}, {attribute: tier, is: gold}]
steps:
  - {id: first, email: one}
  - {id: answer, wait_for: {event: visited}, timeout: 1d}
  - {id: loyal, if: {attribute: tier, is: silver}, email: two}
  - {id: rest, wait: 30d}
"""
    )
    for name in ("alice", "bob", "carol"):
        town.log("signed_up", name)
    town.plan("2026-06-04T10:00", lambda: town.log("visited", "alice", occurred="2026-06-02T10:00"))
    town.plan("2026-06-04T11:00", lambda: town.set("carol", tier="gold"))
    town.run_until("2026-06-01T21:00")
    held = told(town, "alice", "nights")
    town.run_until("2026-06-05T00:00")
    pages = [held, *(told(town, name, "nights") for name in sorted(town.people))]
    golden("journeys/explain_nights.txt", "\n".join(pages))


def test_the_winner_is_named_when_another_journey_took_the_last_place_under_a_limit(make_town: MakeTown) -> None:
    limits = "limits: [{messages: 1, per: 24h, scope: workspace}]\n"
    town = make_town("2026-06-01T08:00", WORKSPACE + limits)
    town.person("alice")
    for slug, priority in (("strong", 80), ("weak", 40)):
        head = f"journey: {slug}\npriority: {priority}\nenter: {{event: signed_up}}\ndefaults: {{topic: marketing}}\n"
        town.journey(f"{head}steps: [{{id: {slug}_mail, email: {slug}_letter}}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert "weak_mail: the e-mail weak_letter was not sent: a limit on how many messages" in told(town, "alice", "weak")
    assert "strong" in told(town, "alice", "weak")


def told(town: Town, person: str, journey: str) -> str:
    """The page of one person: instant in UTC, the person's clock, what happened."""
    with town.runtime.database.read() as connection:
        story, lines = explain(connection, town.workspace, town.people[person], journey)
    page = [f"{person} [{story.zone.key}]"]
    for line in lines:
        if not line.is_detail:
            local = line.at.astimezone(story.zone)
            page.append(f"  {line.at:%m-%d %H:%M}  {local:%a %H:%M}  {line.run or '-'}  {line.text}.")
    page += [f"  {now}." for passage in story.passages if (now := stands(story, passage))]
    return "\n".join(page) + "\n"


def test_each_version_is_told_in_its_own_words_when_a_run_was_moved_to_another(town: Town) -> None:
    town.person("alice")
    town.journey("journey: x\nenter: {event: signed_up}\nsteps: [{id: a, wait: 1d}, {id: b, wait: 2d}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T12:00")
    town.journey("journey: x\nenter: {event: signed_up}\nsteps: [{id: a, wait: 3d}]\n")
    migrate(town.runtime, "x", town.clock.now())
    with town.runtime.database.read() as connection:
        story, lines = explain(connection, town.workspace, town.people["alice"], "x")
    assert [line.text for line in lines][:3] == [
        "Came in, because signed_up happened",
        "a: waits 1d, until Tue 2 Jun, 08:00",
        "Moved from version 1 of the journey to version 2, at a",
    ]
    assert stands(story, story.passages[0]) == "Now: at a; waits until Thu 4 Jun 2026, 08:00"
