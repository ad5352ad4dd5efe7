"""Whole stories that a marketer can read: the journey, what happened, and what the journey did, line by line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from journeys.explain import count_endings, head_counts
from journeys.tables import enrolment, journal
from journeys.transition import JournalKind
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town, at

Golden = Callable[[str, str], None]
Planned = tuple[str, str, str, dict[str, Any]]

WELCOME = """
journey: welcome
enter: {event: signed_up, where: {source: {in: [web, app]}}}
reenter: never
goal: {event: order_placed, within: 30d, value: total, exit: true}
quiet_hours: {from: "21:00", to: "08:00"}
defaults: {topic: marketing, expires_after: 2d}
steps:
  - id: hello
    email: welcome_hello
    ignore_quiet_hours: true
  - id: confirmed
    wait_for: {event: profile_completed}
    timeout: 3d
    on_timeout:
      - {id: nudge, email: welcome_nudge}
      - {id: patience, wait: 2d}
  - {id: midweek, wait_until: {weekday: [tue, wed, thu], time: 10:00}}
  - {id: tips, email: welcome_tips}
  - id: clicked
    wait_for: {message: tips, was: clicked}
    timeout: 4d
    then:
      - {id: interest, set: {tier: "{{ steps.clicked.event.link_tag }}"}}
      - {exit: engaged}
  - id: offer
    choose:
      - {name: fans, if: {attribute: tier, is: gold}, then: [{id: thanks, email: welcome_thanks}]}
    else: [{id: last, email: welcome_last}]
"""
CART = """
journey: abandoned_cart
enter: {event: cart_updated, key: cart_id, where: {total: {gte: 20}}}
mode: restart
reenter: {every: 1d, max: 10}
priority: 80
goal: {event: order_placed, within: 7d, exit: true}
exit:
  - {event: cart_emptied, where: {cart_id: {from_event: cart_id}}}
limits: [{messages: 2, per: 7d, then: skip}]
defaults: {topic: marketing, expires_after: 1d}
steps:
  - {id: hour, wait: 1h}
  - {id: reminder, email: cart_reminder}
  - id: back
    wait_for: [{message: reminder, was: clicked}, {event: visited, where: {page: cart}}]
    timeout: 22h
    then: [{exit: returned}]
  - {id: text, if: {consent: sms.marketing, is: granted}, sms: cart_text}
"""


def test_the_welcome_series_reads_as_written_when_four_people_go_through_it(
    make_town: MakeTown, golden: Golden
) -> None:
    town = make_town("2026-06-05T18:00")
    town.person("alice", timezone="Europe/Berlin")
    town.person("bob", consents=())
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
    town.run_until("2026-06-25T00:00")
    golden("journeys/welcome.txt", told(town, WELCOME, "2026-06-05T00:00"))


def test_the_abandoned_cart_reads_as_written_when_carts_are_left_emptied_and_bought(
    make_town: MakeTown, golden: Golden
) -> None:
    town = make_town("2026-06-01T08:00")
    town.person("alice")
    town.person("bob", phone="+4915112345678", consents=("email.marketing",))
    town.person("carol", phone="+4915112345678")
    town.suppress("carol")
    town.person("dave", email=False, consents=())
    town.journey(CART)
    events: list[Planned] = [
        ("2026-06-01T10:00", "cart_updated", "alice", {"cart_id": "a1", "total": 30}),
        ("2026-06-01T10:40", "cart_updated", "alice", {"cart_id": "a1", "total": 45}),
        ("2026-06-01T10:45", "cart_updated", "alice", {"cart_id": "a2", "total": 25}),
        ("2026-06-01T11:00", "cart_emptied", "alice", {"cart_id": "a2"}),
        ("2026-06-01T10:00", "cart_updated", "bob", {"cart_id": "b1", "total": 19}),
        ("2026-06-01T12:00", "cart_updated", "bob", {"cart_id": "b1", "total": 20}),
        ("2026-06-01T12:00", "cart_updated", "carol", {"cart_id": "c1", "total": 99}),
        ("2026-06-01T12:00", "cart_updated", "dave", {"cart_id": "d1", "total": 99}),
        ("2026-06-01T20:00", "visited", "alice", {"page": "cart"}),
        ("2026-06-02T10:00", "cart_updated", "alice", {"cart_id": "a1", "total": 45}),
        ("2026-06-02T10:50", "order_placed", "alice", {"total": 4500}),
    ]
    plan(town, events)
    town.run_until("2026-06-05T00:00")
    golden("journeys/abandoned_cart.txt", told(town, CART, "2026-06-01T00:00"))


def test_people_are_counted_at_their_steps_and_by_how_they_left(town: Town) -> None:
    for name in ("alice", "bob", "carol"):
        town.person(name)
    town.journey("journey: rest\nenter: {event: signed_up}\nsteps: [{id: one, wait: 1d}, {id: two, wait: 1d}]\n")
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.run_until("2026-06-02T08:00")
    town.log("signed_up", "carol")
    town.run_until("2026-06-02T09:00")
    with town.runtime.database.read() as connection:
        assert head_counts(connection, "rest") == {"one": 1, "two": 2}
        assert count_endings(connection, "rest") == {}
    assert town.story("alice", "rest") == [
        "2026-06-01 08:00:00 Came in, because signed_up happened",
        "2026-06-01 08:00:00 one: waits 1d, until Tue 2 Jun, 08:00",
        "2026-06-02 08:00:00 two: waits 1d, until Wed 3 Jun, 08:00",
    ]


def plan(town: Town, events: list[Planned]) -> None:
    for instant, name, person, properties in events:
        town.plan(instant, lambda one=(name, person, properties): town.log(one[0], one[1], **one[2]))  # type: ignore[misc]  # bound now


def told(town: Town, text: str, start: str) -> str:
    """The journey, and below it one line for everything it did: day, time in UTC, person, deed."""
    names = {number: name for name, number in town.people.items()}
    query = select(journal, enrolment.c.profile_id, enrolment.c.key).join(
        enrolment, enrolment.c.id == journal.c.enrolment_id
    )
    with town.runtime.database.read() as connection:
        rows = connection.execute(query.order_by(journal.c.at, enrolment.c.profile_id, enrolment.c.entered_at,
                                                 journal.c.enrolment_id, journal.c.seq)).all()  # fmt: skip
    lines = []
    for row in rows:
        day = row.at - at(start)
        who = f"{names[row.profile_id]}{f' ({row.key})' if row.key else ''}"
        lines.append(f"day {day // timedelta(days=1):<2} {row.at:%H:%M} {who:<10} {deed(row.kind, row.data)}")
    for name in sorted(town.people):
        lines += [f"{name} did not enter: {reason}" for reason in town.refusals(name)]
    return text.strip() + "\n\n---\n" + "\n".join(lines) + "\n"


def deed(kind: str, data: dict[str, Any]) -> str:
    until = str(data.get("until", ""))[:16].replace("T", " ")
    match kind:
        case JournalKind.QUEUED:
            return f"queue {data['step']}"
        case JournalKind.WAITING:
            return f"wait {data['step']} until {until}"
        case JournalKind.STEP:
            branch = data.get("branch")
            word = "send" if branch == ["sent"] else str(data["outcome"])
            way = "" if branch in (None, ["sent"]) else f" ({', '.join(map(str, branch))})"
            return f"{word} {data['step']}{way}{' (if)' if data.get('why') else ''}"
        case JournalKind.ENDED:
            return f"end {data['reason']}"
        case JournalKind.ENTERED:
            return f"enter by {data['trigger']}"
        case _:
            return kind
