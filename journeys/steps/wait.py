"""`wait: 3d`: stand still for a while.

Days, weeks and months keep the clock on the wall in the profile's zone; hours are counted. The end is reckoned once,
when the wait begins, and a change of zone does not move it.
"""

from __future__ import annotations

from datetime import datetime

from core.durations import Duration, add_calendar
from journeys.steps.contract import Decision, Done, Stay, Step, StepSpec, Verb
from journeys.steps.run import Run


def parse(spec: StepSpec) -> Duration:
    return spec.duration(spec.data["wait"], "wait")


def advance(step: Step, run: Run) -> Decision:
    if run.memo is None:
        until = add_calendar(run.now, step.action, run.zone)
    else:
        until = datetime.fromisoformat(run.memo["until"])
    return Done() if run.now >= until else Stay({"until": until.isoformat()}, until)


VERB = Verb("wait", parse, advance, waits=True)
