"""Which step can follow which, for the questions of the checker: who is reached, who can have run before whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from journeys.model import Journey
from journeys.steps.contract import Step

Ways = Mapping[str, frozenset[str]]


def ways_of(journey: Journey) -> Ways:
    """The steps that can come directly after each one."""
    return {step.id: frozenset(_following(journey, step)) for step in journey.by_id.values()}


def reachable_from(ways: Ways, starts: frozenset[str]) -> frozenset[str]:
    """`starts` and everything behind them."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        step_id = waiting.pop()
        if step_id not in seen:
            seen.add(step_id)
            waiting.extend(ways[step_id])
    return frozenset(seen)


def can_precede(ways: Ways, earlier: str, later: str) -> bool:
    """Whether somebody who arrives at `later` can have been at `earlier`."""
    return later in _behind(tuple(sorted(ways.items())), earlier)


@cache
def _behind(ways: tuple[tuple[str, frozenset[str]], ...], step_id: str) -> frozenset[str]:
    known = dict(ways)
    return reachable_from(known, known[step_id])


def _following(journey: Journey, step: Step) -> Iterator[str]:
    below = journey.next_of[step.id]
    for block in step.blocks.values():
        first = block[0].id if block else below
        if first is not None:
            yield first
    passes = step.is_disabled or step.condition is not None or step.verb.can_go_on(step)
    if passes and below is not None:
        yield below
    target = step.verb.jumps_to(step.action)
    if target is not None and target in journey.by_id:
        yield target
