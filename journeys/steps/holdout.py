"""`holdout: 10%`: for this share of the people the run ends here; their goals go on being counted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from journeys.steps.contract import Decision, Done, End, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import EndReason

HELD_OUT, TREATED = "held_out", "treated"


@dataclass(frozen=True, slots=True)
class HoldoutStep:
    """`percent` is 0 to 100; `seed` None is the test's own name."""

    percent: Decimal
    seed: str | None


def parse(spec: StepSpec) -> HoldoutStep:
    return HoldoutStep(as_share(spec.data["holdout"]), spec.data.get("seed"))


def as_share(written: object) -> Decimal:
    """`10` and `10%` as 10, exactly."""
    return Decimal(str(written).removesuffix("%"))


def advance(step: Step, run: Run) -> Decision:
    action: HoldoutStep = step.action
    test = run.test_of(step)
    seed = action.seed or test
    arm = run.arm_of(seed, test)
    if arm is None:
        arm = HELD_OUT if run.bucket(seed) < action.percent * 100 else TREATED
        run.assign(seed, test, arm)
    return End(EndReason.HOLDOUT) if arm == HELD_OUT else Done(answers=(arm,))


VERB = Verb("holdout", parse, advance)
