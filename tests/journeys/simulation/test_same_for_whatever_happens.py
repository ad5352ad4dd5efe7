"""The same law for events, attributes and zones that chance has thrown together."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.clock import ManualClock
from core.database import Database
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from tests.journeys.simulation.same import bare, produced, replayed, simulated
from tests.journeys.town import WORKSPACE, Town, at

START, END = "2026-03-26T08:00", "2026-05-10T08:00"
_JOURNEY = """
journey: mixed
enter: {event: signed_up, key: source, if: {not: {attribute: tier, is: silver}}}
mode: MODE
reenter: {every: 2d, max: 3}
goal: {event: order_placed, where: {total: {gte: 100}}, within: 10d, exit: EXITS}
exit: [{event: cart_emptied}, {attribute: deleted, is: true}]
holdout: {percent: 20%, seed: arms}
quiet_hours: {from: "21:00", to: "08:00"}
limits: [{messages: 2, per: 3d, then: THEN}]
defaults: {topic: marketing, expires_after: 20h}
steps:
  - {id: hello, email: hello}
  - id: back
    wait_for: [{event: visited, where: {page: cart}}, {event: profile_completed}]
    timeout: 1d
    on_timeout: [{id: nudge, if: {not: {event: visited, within: 12h}}, email: nudge}]
    then: [{id: mark, set: {tier: gold}}]
  - id: rounds
    repeat:
      max: 3
      until: {event: visited, count: {gte: 3}, since: entry}
      do: [{id: more, email: more}, {id: pause, wait: 20h}]
  - id: arms
    split:
      a: {weight: 30, then: [{id: ten, wait_until: {time: "10:00"}}, {id: tips, email: tips}]}
      b: {weight: 70, then: [{id: note, emit: visited, with: {page: cart}}]}
  - id: tier
    choose:
      - {name: gold, if: {attribute: tier, is: gold}, then: [{id: thanks, sms: thanks}]}
      - {name: busy, if: {event: visited, count: {gte: 2}, within: 30d}, then: [{exit: busy}]}
    else: [{id: month, wait: 1mo}]
"""
NAMES = ("signed_up", "order_placed", "visited", "profile_completed", "cart_emptied")
HAPPENING = st.tuples(
    st.integers(0, 40 * 24 * 4),  # quarters of an hour after the start
    st.sampled_from((*NAMES, "signed_up", "visited", "visited")),
    st.sampled_from(("cart", "home")),
    st.integers(0, 30) | st.just(0),  # hours until it becomes known
)
PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"timezone": "Europe/Berlin"},
    "bob": {"timezone": "America/New_York", "tier": "gold", "consents": ("email.marketing",)},
    "carol": {"timezone": "Nowhere/Else", "phone": "+4915112345678"},
    "dave": {"timezone": None, "tier": "silver"},
}


# A town is dear to build, so that a failing example is shown as it is and not made smaller.
@settings(
    max_examples=12,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    events=st.lists(HAPPENING, max_size=12),
    who=st.randoms(use_true_random=False),
    mode=st.sampled_from(("single", "restart", "parallel")),
    exits=st.booleans(),
    then=st.sampled_from(("skip", "wait", "exit")),
)
def test_simulated_journals_are_those_of_the_town_whatever_happens(
    sqlite_template: Path,
    vault: Vault,
    tmp_path: Path,
    events: list[tuple[int, str, str, int]],
    who: Random,
    mode: str,
    exits: bool,
    then: str,
) -> None:
    file = tmp_path / f"{uuid4()}.db"
    shutil.copy(sqlite_template, file)
    clock = ManualClock(at(START))
    with closing(Database(f"sqlite:///{file}")) as database:
        town = Town(Runtime(Settings(project=str(tmp_path), workers="1"), database, vault, clock), clock, WORKSPACE)
        with closing(town):
            for name, details in PEOPLE.items():
                town.person(f"{name}{file.stem[:6]}", **details)
            town.journey(_JOURNEY.replace("MODE", mode).replace("EXITS", str(exits).lower()).replace("THEN", then))
            for quarters, name, page, late in events:
                _plan(town, who.choice(sorted(town.people)), quarters, name, page, late)
            town.run_until(END)
            _tally, timelines = replayed(town, "mixed", START, END)
            assert bare(simulated(timelines)) == bare(produced(town, "mixed"))


def _plan(town: Town, person: str, quarters: int, name: str, page: str, late: int) -> None:
    occurred = at(START) + timedelta(minutes=15 * quarters)
    stated: dict[str, dict[str, Any]] = {
        "visited": {"page": page},
        "signed_up": {"source": page},
        "order_placed": {"total": 50 if page == "home" else 150},
    }
    properties = stated.get(name, {})
    known = occurred + timedelta(hours=late)
    town.plan(known.isoformat(), lambda: town.log(name, person, occurred=occurred.isoformat(), **properties))
