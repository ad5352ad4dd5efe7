"""`choose`: the first branch whose `if` holds, else `else`, else straight on."""

from __future__ import annotations

from dataclasses import dataclass

from journeys.steps.contract import Decision, Done, Step, StepSpec, Verb
from journeys.steps.run import Run
from segments.language.rules import Rule

ELSE = "else"


@dataclass(frozen=True, slots=True)
class Branch:
    block: str
    answers: tuple[str | int, ...]
    condition: Rule


def parse(spec: StepSpec) -> tuple[Branch, ...]:
    branches = []
    for place, branch in enumerate(spec.data["choose"]):
        block = str(place + 1)
        spec.block(block, "choose", place, "then")
        answers = (place + 1, branch["name"]) if "name" in branch else (place + 1,)
        branches.append(Branch(block, answers, spec.conditions(branch["if"], "choose", place, "if")))
    if ELSE in spec.data:
        spec.block(ELSE, ELSE)
    return tuple(branches)


def advance(step: Step, run: Run) -> Decision:
    branches: tuple[Branch, ...] = step.action
    for branch in branches:
        if run.holds(branch.condition):
            return Done(answers=branch.answers, block=branch.block)
    return Done(answers=(ELSE,), block=ELSE if ELSE in step.blocks else None)


def can_go_on(step: Step) -> bool:
    return ELSE not in step.blocks


VERB = Verb("choose", parse, advance, can_go_on=can_go_on)
