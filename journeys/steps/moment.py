"""When a message is due that has just been reached, and when it lapses.

A local time of day or the person's best hour puts it off. What then holds it back (quiet hours, limits) is delivery's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from core.durations import Duration, add_calendar
from core.zones import find_zone
from delivery.best_time import best_time
from delivery.hour_rules import hours_rule, quiet_rule
from delivery.house_rules import in_force
from delivery.policy import is_open
from journeys.questions import ReadingHabits
from journeys.steps.contract import Step
from journeys.steps.run import Run
from journeys.steps.wait_until import WaitUntil, next_local
from journeys.transition import JournalKind


def find_moment(
    step: Step,
    run: Run,
    send_at: time | str | None,
    expires_after: Duration | None,
    policy: Mapping[str, Any],
    channel: str,
) -> tuple[datetime, datetime | None]:
    """The instants at which the message is due and at which it lapses (None: never).

    It lapses `expires_after` its being due; where the hour was chosen for the person, after the step was reached, since
    the hour has to be over by then.
    """
    if isinstance(send_at, time):
        due_at = next_local(run.now, WaitUntil(send_at), run.zone)
        return due_at, _later(due_at, expires_after, run)
    expires_at = _later(run.now, expires_after, run)
    if send_at is None:
        return run.now, expires_at
    return _best(step, run, expires_at, in_force(policy, run.world.workspace, channel)), expires_at


def _later(at: datetime, length: Duration | None, run: Run) -> datetime | None:
    return add_calendar(at, length, run.zone) if length else None


def _best(step: Step, run: Run, expires_at: datetime | None, policy: Mapping[str, Any]) -> datetime:
    workspace = run.world.workspace
    hours, quiet = hours_rule(policy, workspace), quiet_rule(policy, workspace)
    own_zone = find_zone(run.person.timezone or "")
    chosen = best_time(
        run.ask(ReadingHabits()),
        run.zone,
        run.now,
        expires_at=expires_at,
        is_open=lambda at: is_open(hours, quiet, own_zone, at),
    )
    run.note(
        JournalKind.BEST_TIME,
        step=step.id,
        at=chosen.at.isoformat(),
        is_now=chosen.at == run.now,
        hour=chosen.hour,
        basis=chosen.basis.value,
    )
    return chosen.at
