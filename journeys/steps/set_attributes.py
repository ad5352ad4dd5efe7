"""`set`: give the profile new attribute values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import InputError
from customers.profiles import check_attributes
from journeys.steps.contract import Decision, Done, Fail, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.steps.values import fill
from journeys.transition import SetAttributes


def parse(spec: StepSpec) -> Mapping[str, Any]:
    values: Mapping[str, Any] = spec.value(spec.data["set"], "set")
    return values


def advance(step: Step, run: Run) -> Decision:
    values = fill(step.action, run.sources)
    try:
        checked = check_attributes(run.world.workspace, values)
    except InputError as error:
        return Fail(str(error), is_final=True)
    run.effects.append(SetAttributes(checked))
    return Done()


VERB = Verb("set", parse, advance)
