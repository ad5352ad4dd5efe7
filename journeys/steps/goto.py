"""`goto`: go on at a step further down, and from there through the blocks that stand around it."""

from __future__ import annotations

from journeys.steps.contract import Decision, Jump, NameKind, Step, StepSpec, Verb
from journeys.steps.run import Run


def parse(spec: StepSpec) -> str:
    target: str = spec.data["goto"]
    spec.mention(NameKind.STEP, target, "goto")
    return target


def advance(step: Step, _run: Run) -> Decision:
    return Jump(step.action)


VERB = Verb("goto", parse, advance, can_go_on=lambda _step: False, jumps_to=str)
