"""W118: a message that falls due only at hours at which it is dropped, or held for longer than it may wait. Pure.

The hour is known behind a `wait_until` with a clock, after whole days, and by `send_at`; where anything else may have
passed the time, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta

from core.durations import Duration
from core.errors import Fault
from customers.workspace import Hours
from delivery.send_window import WEEKDAYS, Week, read_hours
from journeys.checking.case import Case
from journeys.checking.flow import facts_on_arrival
from journeys.checking.messages import MessageUse, iter_uses, options_of
from journeys.checking.windows import is_quiet, minute_of
from journeys.graph import By, Way
from journeys.steps.contract import Step
from journeys.steps.wait_until import WaitUntil

_DAY = 24 * 60
_WEEK = 7 * _DAY
_TAKES_TIME = frozenset({"wait_for", "webhook", "push", "email", "sms", "voice", "letter"})

Clock = frozenset[int] | None  # minutes since Monday 00:00 at which somebody can be there; None is any


def closed_hours(case: Case) -> Iterator[Fault]:
    """W118 at `send_at`, or else at the template of the message."""
    clocks = facts_on_arrival(case.journey, None, _along, _either, None)
    for use in iter_uses(case):
        clock = _due(case, use, clocks.get(use.step.id))
        if not clock or use.step.id not in clocks:
            continue
        reasons = [_refusal(case, use, minute) for minute in sorted(clock)]
        if all(reasons):
            has_own = options_of(use.step).send_at is not None
            path = (*use.step.path, "send_at") if has_own else use.path
            why, hint = reasons[0] or ("", "")
            yield case.fault("W118", path, f"nobody gets this: {why}", hint)


def _along(step: Step, way: Way, clock: Clock) -> Clock:
    if way.by is By.PASSED or step.is_disabled:
        return clock
    if isinstance(step.action, WaitUntil):
        return _clock_of(step.action.clock, step.action.weekdays)
    if isinstance(step.action, Duration):
        return _later(clock, step.action)
    return None if step.verb.waits or step.verb.name in _TAKES_TIME else clock


def _either(one: Clock, other: Clock) -> Clock:
    return None if one is None or other is None else one | other


def _clock_of(clock: time | None, weekdays: frozenset[int] = frozenset(range(7))) -> Clock:
    return None if clock is None else frozenset(day * _DAY + minute_of(clock) for day in weekdays)


def _later(clock: Clock, wait: Duration) -> Clock:
    """A day on the calendar keeps the clock, whatever the night did to it; hours do not."""
    if clock is None or wait.elapsed_part:
        return None
    if wait.years or wait.months:
        return frozenset(day * _DAY + minute % _DAY for day in range(7) for minute in clock)
    return frozenset((minute + (7 * wait.weeks + wait.days) * _DAY) % _WEEK for minute in clock)


def _due(case: Case, use: MessageUse, clock: Clock) -> Clock:
    at = options_of(use.step).send_at or case.journey.defaults.send_at
    if at is None:
        return clock
    return _clock_of(at) if isinstance(at, time) else None


def _refusal(case: Case, use: MessageUse, due: int) -> tuple[str, str] | None:
    """Why what is due at this minute of the week never leaves, and the way out; None when it does."""
    window = case.journey.sending.windows.get(use.channel)
    week = None if window is None else read_hours(window, ()).week
    quiet = _quiet_hours(case, use)
    lasts = options_of(use.step).expires_after or case.journey.defaults.expires_after
    longest = _WEEK if lasts is None else min(_WEEK, round(lasts.as_elapsed() / timedelta(minutes=1)))
    at = f"{WEEKDAYS[due // _DAY]} {due % _DAY // 60:02}:{due % 60:02}"
    for minute in range(due, due + longest):
        if not _is_open(week, minute % _WEEK):
            continue
        if quiet is None or not is_quiet(minute % _WEEK, quiet):
            return None
        if quiet.then == "drop":
            hours = f"{quiet.start:%H:%M} to {quiet.end:%H:%M}"
            return (
                f"it is due in the quiet hours ({hours}), which drop it",
                "send it outside them, or write `then: wait` there",
            )
    if longest == _WEEK:
        return None  # that is no matter of this hour
    return (
        f"it is due at {at}, and expires after {lasts}, before it may be sent",
        "let it expire later, or come here at another hour",
    )


def _is_open(week: Week | None, minute: int) -> bool:
    return week is None or any(start <= minute % _DAY < end for start, end in week[minute // _DAY])


def _quiet_hours(case: Case, use: MessageUse) -> Hours | None:
    workspace = case.known.workspace
    quiet = case.journey.sending.quiet_hours or (workspace.quiet_hours if workspace is not None else None)
    if quiet is None or use.ignores_quiet_hours or quiet.no_timezone == "send":
        return None
    return quiet if not quiet.channels or use.channel in quiet.channels else None
