"""Which step can follow which, for the questions of the checker: who is reached, who can have run before whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from journeys.model import Journey
from journeys.steps.contract import Step

Ways = Mapping[str, frozenset[str]]


class By(StrEnum):
    """How somebody leaves a step."""

    BLOCK = "block"  # into one of its own lists of steps
    DONE = "done"  # straight on
    PASSED = "passed"  # straight on, without the step having run: its `if` did not hold, or it is disabled
    JUMP = "jump"


@dataclass(frozen=True, slots=True)
class Way:
    """One way from a step to `target`; `block` is the list of steps that it leads into."""

    target: str
    by: By
    block: str = ""


def ways_of(journey: Journey) -> Ways:
    """The steps that can come directly after each one."""
    return {step.id: frozenset(way.target for way in iter_ways(journey, step)) for step in journey.by_id.values()}


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


def iter_ways(journey: Journey, step: Step) -> Iterator[Way]:
    """Every way that leads on from `step` inside the journey; an empty list of steps leads straight on."""
    below = journey.next_of[step.id]
    for name, block in step.blocks.items():
        first = block[0].id if block else below
        if first is not None:
            yield Way(first, By.BLOCK, name)
    if below is not None and (step.is_disabled or step.condition is not None):
        yield Way(below, By.PASSED)
    if below is not None and step.verb.can_go_on(step):
        yield Way(below, By.DONE)
    target = step.verb.jumps_to(step.action)
    if target is not None and target in journey.by_id:
        yield Way(target, By.JUMP)
