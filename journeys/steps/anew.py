"""A wait reckoned anew: as if the step had stood in this version when it was entered, or after a pause had held it.

Works for every verb of time, because it asks the verb itself what it would have noted at that instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from journeys.steps.contract import Decision, Stay, Step
from journeys.steps.run import Run

# What they wait for is a length of time, which a pause interrupts; an instant on somebody's clock is not put off.
_LENGTHS = ("wait", "wait_for")


def wait_anew(step: Step, run: Run, *, is_paused: bool) -> Decision:
    """What becomes of a wait that began at `run.step_entered_at`, whatever was noted then: over, or how long still.

    What pauses have added to it stays added. While the journey is paused nothing is over that was not over at once.
    """
    now, run.now, run.memo = run.now, run.step_entered_at, None
    decision = step.verb.advance(step, run)
    run.now = now
    if not isinstance(decision, Stay):
        return decision
    begun = replace(decision, **put_off(step, decision.memo, timedelta(seconds=run.stood_still_s)))
    if is_paused:
        return begun
    run.memo = begun.memo
    decision = step.verb.advance(step, run)
    run.memo = None
    return replace(decision, names=begun.names) if isinstance(decision, Stay) else decision


def put_off(step: Step, memo: Mapping[str, Any], by: timedelta) -> dict[str, Any]:
    """`memo` and `until` of a wait that is `by` later; `until` None where there is nothing to put off."""
    if step.verb.name not in _LENGTHS or "until" not in memo:
        until = datetime.fromisoformat(memo["until"]) if "until" in memo else None
        return {"memo": memo, "until": until}
    until = datetime.fromisoformat(memo["until"]) + by
    return {"memo": {**memo, "until": until.isoformat()}, "until": until}
