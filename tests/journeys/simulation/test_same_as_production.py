"""Whatever happens, the journal of a simulated run is that of the real one: entry by entry, with data and instant."""

from __future__ import annotations

from typing import Any

from tests.journeys.conftest import MakeTown
from tests.journeys.simulation.same import bare, produced, replayed, simulated
from tests.journeys.test_traces import CART, WELCOME, Planned, plan
from tests.journeys.town import Town


def compare(town: Town, slug: str, start: str, end: str) -> list[Any]:
    """Both journals must be equal; answers them."""
    _tally, timelines = replayed(town, slug, start, end)
    real = bare(produced(town, slug))
    assert real
    assert bare(simulated(timelines)) == real
    with_refusals = {name: [reason for _, reason in timelines[number].refusals] for name, number in town.people.items()}
    assert with_refusals == {name: town.refusals(name) for name in town.people}
    return real


def test_the_welcome_series_is_the_same_when_four_people_go_through_it(make_town: MakeTown) -> None:
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
    compare(town, "welcome", "2026-06-05T18:00", "2026-06-25T00:00")


def test_the_abandoned_cart_is_the_same_when_carts_are_left_emptied_and_bought(make_town: MakeTown) -> None:
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
    compare(town, "abandoned_cart", "2026-06-01T08:00", "2026-06-05T00:00")
