"""`emit`: write an event to the customer's log, where other journeys and segments see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from journeys.steps.contract import Decision, Done, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.steps.values import fill
from journeys.transition import EmitEvent


@dataclass(frozen=True, slots=True)
class Emit:
    name: str
    properties: Mapping[str, Any]


def parse(spec: StepSpec) -> Emit:
    return Emit(spec.data["emit"], spec.value(spec.data.get("with", {}), "with"))


def advance(step: Step, run: Run) -> Decision:
    action: Emit = step.action
    properties = {name: value for name, value in fill(action.properties, run.sources).items() if value is not None}
    run.effects.append(EmitEvent(action.name, f"emit:{run.step_run_id(step)}", properties))
    return Done()


VERB = Verb("emit", parse, advance)
