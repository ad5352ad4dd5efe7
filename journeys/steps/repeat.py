"""`repeat`: go through the steps again and again, `max` times at most; `until` is asked before each round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from journeys.steps.contract import Decision, Done, Step, StepSpec, Verb, iter_steps
from journeys.steps.run import Run
from segments.language.rules import Rule

BODY = "do"


@dataclass(frozen=True, slots=True)
class Repeat:
    max: int
    until: Rule | None


def parse(spec: StepSpec) -> Repeat:
    data: dict[str, Any] = spec.data["repeat"]
    spec.block(BODY, "repeat", BODY)
    until = spec.conditions(data["until"], "repeat", "until") if "until" in data else None
    return Repeat(data["max"], until)


def advance(step: Step, run: Run) -> Decision:
    action: Repeat = step.action
    rounds = run.rounds.get(step.id, 0)
    if rounds >= action.max or (action.until is not None and run.holds(action.until)):
        run.rounds.pop(step.id, None)
        return Done(answers=(rounds,))
    for inner in iter_steps(step.blocks[BODY]):
        run.rounds.pop(inner.id, None)  # a loop inside begins anew in each round
    run.rounds[step.id] = rounds + 1
    return Done(answers=(rounds + 1,), block=BODY)


VERB = Verb("repeat", parse, advance)
