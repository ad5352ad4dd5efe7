"""`bandit`: the arm that earns more is drawn more often, anew at each visit.

Every visit draws by what the arms have earned by then (Thompson sampling); a success is a `reward` that occurs within
its `within`, a failure a window that ended without one. The draw is a hash of the visit, and is journaled with the
counts that it was made from. `floor` keeps a least share for each arm, `delay` says how late successes become known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from journeys.steps.contract import Decision, Done, Step, StepSpec, Verb
from journeys.steps.reward import Bandit, draw, parse_bandit
from journeys.steps.run import Run


@dataclass(frozen=True, slots=True)
class BanditStep:
    """Arms in the order of the file."""

    arms: tuple[str, ...]
    bandit: Bandit


def parse(spec: StepSpec) -> BanditStep:
    data: dict[str, Any] = spec.data["bandit"]
    for name in data:
        spec.block(name, "bandit", name, "then")
    return BanditStep(tuple(data), parse_bandit(spec, spec.data))


def advance(step: Step, run: Run) -> Decision:
    action: BanditStep = step.action
    arm = draw(step, run, action.arms, action.bandit)
    return Done(answers=(arm,), block=arm)


VERB = Verb("bandit", parse, advance, can_go_on=lambda step: not all(step.blocks.values()))
