"""The three journeys of the example shop, and the people who come to their doors while the demo runs."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

from console.check import check_project
from console.project import load_project
from examples.journey_proof import came_to_the_doors, count_journeys, liveliest
from examples.shop.shoppers import Deed, deeds
from tests.journeys.town import Town, at

SHOP = Path(__file__).resolve().parents[3] / "examples" / "shop"
START = at("2026-06-10T08:00")
PEOPLE = [f"fk-{number:05}" for number in range(1, 5_001)]


def test_the_shop_has_no_fault_when_it_is_checked() -> None:
    assert check_project(load_project(SHOP)).faults == ()


def test_the_same_people_do_the_same_when_the_demo_runs_again() -> None:
    done = list(deeds(PEOPLE, START, 7))
    assert done == list(deeds(PEOPLE, START, 7))
    assert done != list(deeds(PEOPLE, START, 8))
    assert all(START <= one.at < START + timedelta(days=7) for one in done)
    counts = Counter(one.event for one in done)
    assert 60 < counts["Signed Up"] < 140
    assert 120 < counts["Cart Updated"] < 320
    assert all(counts[name] > 10 for name in ("Profile Completed", "Cart Emptied", ""))
    assert len({one.key for one in done}) == len(done)


def test_everybody_at_a_door_is_counted_when_they_came_in_or_were_refused(town: Town) -> None:
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(
        "journey: welcome\nenter: {event: signed_up, if: {attribute: tier, is: gold}}\ndefaults: {topic: marketing}\n"
        "steps: [{id: hello, email: hello}, {id: w, wait: 1d}]\n"
    )
    town.set("alice", tier="gold")
    done = [Deed(START, name, "Signed Up", name) for name in ("alice", "bob")]
    for deed in done:
        town.log("signed_up", deed.external_id)
    town.work()
    with town.runtime.database.read() as connection:
        welcome = count_journeys(connection)[0]
        assert liveliest(connection, "welcome") == town.people["alice"]
        assert liveliest(connection, "win_back") is None
    assert welcome.entered + welcome.refused == came_to_the_doors(done)["welcome"] == 2
    assert (welcome.entered, welcome.inside, welcome.refused) == (1, 1, 1)
