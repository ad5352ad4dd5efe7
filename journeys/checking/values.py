"""Values that cannot be: timeouts (E134), re-entry (E136), and a goal that is the entry (W203)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from core.durations import Duration
from core.errors import Fault
from core.located import KeyPath
from journeys.checking.case import Case
from journeys.model import EventEntry, Mode
from journeys.steps import wait_for


def timeouts(case: Case) -> Iterator[Fault]:
    """E134."""
    longest = case.journey.max_stay
    for step in case.steps:
        if isinstance(step.action, Duration):
            if step.action.as_elapsed() > longest.as_elapsed():
                yield _too_long(case, (*step.path, "wait"))
            continue
        if step.verb is not wait_for.VERB:
            continue
        timeout, path = step.action.timeout, (*step.path, "timeout")
        if not timeout.as_elapsed():
            yield case.fault("E134", path, "a timeout of nothing waits for nothing", "write a longer one, such as 3d")
        elif timeout.as_elapsed() > longest.as_elapsed():
            yield _too_long(case, path)


def _too_long(case: Case, path: KeyPath) -> Fault:
    message = f"nobody may stay so long: max_stay is {case.journey.max_stay}"
    return case.fault("E134", path, message, "shorten it, or write a longer `max_stay`")


def reentries(case: Case) -> Iterator[Fault]:
    """E136."""
    reentry = case.journey.reentry
    if reentry.every is not None and reentry.every.as_elapsed() < timedelta(minutes=1):
        yield case.fault("E136", ("reenter", "every"), "the least distance is a minute", "write 1m or more")
    if case.journey.mode is Mode.PARALLEL and not reentry.is_allowed:
        message = "runs cannot be side by side when nobody may enter twice"
        yield case.fault("E136", ("reenter",), message, "leave out one of `mode: parallel` and `reenter: never`")


def goal_is_entry(case: Case) -> Iterator[Fault]:
    """W203; a `where` of the goal is trusted to tell the two apart."""
    goal = case.journey.goal
    entries = {name for entry in case.journey.entries if isinstance(entry, EventEntry) for name in entry.names}
    if goal is not None and not goal.where and entries.intersection(goal.names):
        message = "the event that lets people in may be their goal at once"
        yield case.fault("W203", ("goal", "event"), message, "choose another goal, or narrow it by `where`")
