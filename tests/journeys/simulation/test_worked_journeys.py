"""The worked journeys of the examples, in the town and simulated."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.journeys.conftest import MakeTown
from tests.journeys.simulation.same import bare, produced, replayed, simulated
from tests.journeys.test_traces import Planned, plan
from tests.journeys.town import at

SHOP = Path(__file__).parents[3] / "examples" / "shop" / "journeys"
START, END = "2026-06-05T18:00", "2026-08-25T00:00"
WELCOME = """
journey: welcome
name: Welcome series
enter:
  event: signed_up
  where: {source: {in: [web, app]}}
  if: {consent: email.marketing, is: granted}
reenter: never
goal: {event: order_placed, within: 30d, value: total, exit: true}
exit:
  - {attribute: deleted, is: true}
quiet_hours: {from: "21:00", to: "08:00", then: wait}
defaults: {topic: marketing, expires_after: 48h}
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
  - {id: midweek, wait_until: {weekday: [tue, wed, thu], time: "10:00"}}
  - id: tips
    email: welcome_tips
  - id: clicked
    wait_for: {message: tips, was: clicked}
    timeout: 4d
    then:
      - {id: mark, set: {tier: "{{ steps.clicked.event.link_tag }}"}}
      - {exit: engaged}
  - id: place
    choose:
      - if: {attribute: country, is: {in: [DE, AT, CH]}}
        then: [{id: dach, email: welcome_offer_dach}]
    else: [{id: others, email: welcome_offer}]
"""


def test_the_welcome_series_of_the_examples_is_the_same_in_the_town_and_simulated(make_town: MakeTown) -> None:
    town = make_town(START)
    town.person("alice", timezone="Europe/Berlin", country="DE")
    town.person("bob", consents=())
    town.person("carol", timezone="America/New_York")
    town.person("dave", timezone="Asia/Kolkata", deleted=True)
    town.person("eve", timezone=None, country="US")
    town.journey(WELCOME)
    events: list[Planned] = [
        ("2026-06-05T20:30", "signed_up", name, {"source": "web"}) for name in ("alice", "bob", "carol", "dave", "eve")
    ]
    events += [
        ("2026-06-07T09:00", "profile_completed", "alice", {}),
        ("2026-07-01T12:00", "order_placed", "carol", {"total": 1999}),
    ]
    plan(town, events)
    town.plan("2026-06-10T11:00", lambda: town.click("alice", "tips"))
    town.run_until(END)
    _tally, timelines = replayed(town, "welcome", START, END)
    real = bare(produced(town, "welcome"))
    assert len({owner for owner, *_ in real}) == 4
    assert bare(simulated(timelines)) == real


def test_the_win_back_journey_of_the_shop_is_the_same_in_the_town_and_simulated(make_town: MakeTown) -> None:
    town = make_town("2026-06-05T12:00")
    town.publish("segment", "segment: lapsed\nwho: [{attribute: tier, is: gold}]\n")
    town.publish("segment", "segment: big_spenders\nwho: [{attribute: tier, is: gold}]\n")
    town.person("alice", timezone="Europe/Berlin", phone="+4915112345678", tier="gold")
    town.person("bob", timezone="America/New_York", consents=())
    town.refresh_segments()  # alice is a member already, and comes in by the backfill
    town.clock.move_to(at(START))
    town.journey((SHOP / "win_back.yaml").read_text())
    town.plan("2026-06-06T12:00", partial(town.log, "segment_entered", "bob", segment="lapsed"))
    town.run_until(END)
    _tally, timelines = replayed(town, "win_back", START, END)
    real = bare(produced(town, "win_back"))
    assert len({owner for owner, *_ in real}) == 2
    assert bare(simulated(timelines)) == real
