"""`split`: chance decides the way, as a hash that anybody can reckon again, and the answer is kept.

Arms take consecutive ranges of the 10,000 buckets in the order of the file, bounds rounded down. Changing a weight
never moves anybody who has an arm already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from journeys.steps.contract import Decision, Done, Step, StepSpec, Verb
from journeys.steps.run import Run

BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Split:
    """(arm, weight) in the order of the file; `seed` None is the test's own name."""

    arms: tuple[tuple[str, Fraction], ...]
    seed: str | None


def parse(spec: StepSpec) -> Split:
    arms = []
    data: dict[str, Any] = spec.data["split"]
    for name, arm in data.items():
        spec.block(name, "split", name, "then")
        arms.append((name, Fraction(str(arm.get("weight", 1)))))
    return Split(tuple(arms), spec.data.get("seed"))


def advance(step: Step, run: Run) -> Decision:
    action: Split = step.action
    arm = stored_arm(step, run, action.arms, action.seed)
    return Done(answers=(arm,), block=arm)


def stored_arm(step: Step, run: Run, arms: Sequence[tuple[str, Fraction]], seed: str | None) -> str:
    """The arm that this person has in the test of `step`, drawn and stored when it has none that still exists."""
    test = run.test_of(step)
    arm = run.arm_of(seed or test, test)
    if arm is None or arm not in dict(arms):
        arm = draw(arms, run.bucket(seed or test))
        run.assign(seed or test, test, arm)
    return arm


def draw(arms: Sequence[tuple[str, Fraction]], bucket: int) -> str:
    """The arm whose range holds `bucket` (0 to 9999)."""
    total = sum(weight for _, weight in arms)
    before = Fraction(0)
    for name, weight in arms:
        before += weight
        if bucket < BUCKETS * before // total:
            return name
    return arms[-1][0]


VERB = Verb("split", parse, advance, can_go_on=lambda step: not all(step.blocks.values()))
