"""`exit`: leave the journey, with a reason if you like."""

from __future__ import annotations

from journeys.steps.contract import Decision, End, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import EndReason

LONGEST_REASON = 30


def parse(spec: StepSpec) -> str:
    written = spec.data["exit"]
    if not isinstance(written, str) or not written:
        return EndReason.EXIT
    if len(written) > LONGEST_REASON:
        message = f"the reason has {len(written)} characters and may have {LONGEST_REASON}"
        spec.report("E103", "exit", message=message, hint="write a shorter one")
    return written


def advance(step: Step, _run: Run) -> Decision:
    return End(step.action)


VERB = Verb("exit", parse, advance, can_go_on=lambda _step: False)
