"""`start_journey`: bring the person to the door of another journey, with `with` as its `entry.*`.

That journey's own rules decide who is let in: whether it is live, its `mode`, `reenter` and `holdout`, and its key. The
conditions of its triggers are not asked, because this is a trigger of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from journeys.steps.contract import Decision, Done, Fail, NameKind, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.steps.values import fill
from journeys.transition import StartJourney

LONGEST_CHAIN = 20  # journeys that start each other, each within a minute of having been entered
_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class StartStep:
    journey: str
    entry: Mapping[str, Any]


def parse(spec: StepSpec) -> StartStep:
    slug: str = spec.data["start_journey"]
    spec.mention(NameKind.JOURNEY, slug, "start_journey")
    return StartStep(slug, spec.value(spec.data.get("with", {}), "with"))


def advance(step: Step, run: Run) -> Decision:
    action: StartStep = step.action
    is_at_once = run.now - run.enrolment.entered_at < _PAUSE
    chain = run.chain + 1 if is_at_once else 1
    if chain > LONGEST_CHAIN:
        return Fail(f"{LONGEST_CHAIN} journeys have started each other without a wait", is_final=True)
    entry = {name: value for name, value in fill(action.entry, run.sources).items() if value is not None}
    run.effects.append(StartJourney(run.step_run_id(step), action.journey, chain, entry))
    return Done()


VERB = Verb("start_journey", parse, advance)
