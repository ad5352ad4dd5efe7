"""What must be true of everybody who arrives at a step, whichever way they came: facts carried along all ways. Pure.

The usual forward data-flow analysis: each step is looked at again until nothing changes. Loops (`repeat`) that would
change for ever are cut short by `give_up`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from journeys.graph import Way, iter_ways
from journeys.model import Journey
from journeys.steps.contract import Step

_PATIENCE = 20  # how often one step is looked at before the facts on arrival are given up

T = TypeVar("T")


def facts_on_arrival(
    journey: Journey, start: T, along: Callable[[Step, Way, T], T], meet: Callable[[T, T], T], give_up: T
) -> dict[str, T]:
    """By step, what holds for everybody who arrives there; steps that nobody reaches are missing.

    `along` says what holds at the end of a way, given what held on arrival at its step; `meet` what two arrivals have
    in common; `give_up` is what holds always.
    """
    if journey.first is None:
        return {}
    facts: dict[str, T] = {journey.first: start}
    visits: dict[str, int] = {}
    waiting = [journey.first]
    while waiting:
        step = journey.by_id[waiting.pop()]
        for way in iter_ways(journey, step):
            arriving = along(step, way, facts[step.id])
            if way.target in facts:
                arriving = meet(facts[way.target], arriving)
                if arriving == facts[way.target]:
                    continue
            visits[way.target] = visits.get(way.target, 0) + 1
            facts[way.target] = arriving if visits[way.target] <= _PATIENCE else give_up
            waiting.append(way.target)
    return facts
