"""W117: a message that a limit stops for everybody, because the messages before it have always used the limit up.

Ages are upper bounds: a wait takes its longest, a message that may be held a day more. Where nothing certain can be
said, nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import zip_longest

from core.durations import Duration
from core.errors import Fault
from customers.workspace import Limit
from journeys.checking.case import Case
from journeys.checking.flow import facts_on_arrival
from journeys.checking.messages import MessageUse, iter_uses, options_of
from journeys.graph import By, Way
from journeys.steps.contract import Step

Ages = tuple[timedelta, ...]  # of the messages that surely count, the youngest first

_CLOCK_CHANGE = timedelta(hours=1)
_DAY = timedelta(days=1)


def starved(case: Case) -> Iterator[Fault]:
    """W117 at the first message that each limit always stops."""
    uses = list(iter_uses(case))
    workspace = case.known.workspace
    stated = [(limit, case.located.file) for limit in case.journey.sending.limits]
    stated += [(limit, "workspace.yaml") for limit in (workspace.limits if workspace is not None else ())]
    for limit, file in stated:
        victim = _first_victim(case, limit, uses) if limit.then != "wait" else None
        if victim is None:
            continue
        what = "everybody leaves here" if limit.then == "exit" else "nobody gets this"
        span = "journey" if limit.per is None else str(limit.per)
        message = f"{what}: the limit of {_count(limit)} per {span} ({file}) is used up by then"
        hint = "raise the limit, or take a message out" if limit.per is None else f"wait longer than {span} before it"
        yield case.fault("W117", victim.path, message, hint)


def _count(limit: Limit) -> str:
    return f"{limit.messages} {'message' if limit.messages == 1 else 'messages'}"


def _first_victim(case: Case, limit: Limit, uses: Sequence[MessageUse]) -> MessageUse | None:
    counted = [one for one in uses if _is_counted(limit, one)]
    if limit.scope == "topic" and limit.topic is None and len({one.topic for one in counted}) > 1:
        return None  # each topic has a limit of its own
    certain = {one.step.id for one in counted if one.is_certain} - {one.step.id for one in uses if one not in counted}
    hold = _DAY if _may_be_held(case) else timedelta()

    def along(step: Step, way: Way, ages: Ages) -> Ages:
        if way.by is By.PASSED:
            return ages
        if limit.per is not None:
            ages = _older(ages, _longest_stay(case, step), limit.per.as_elapsed())
        if step.id in certain and way.by is By.DONE:
            return (timedelta(), *ages)
        return ages

    nothing: Ages = ()
    arriving = facts_on_arrival(case.journey, nothing, along, _in_common, nothing)
    for one in counted:
        if one.step.id not in arriving:
            continue
        counting = [age for age in arriving[one.step.id] if limit.per is None or age + hold < limit.per.as_elapsed()]
        if len(counting) >= limit.messages:
            return one
    return None


def _is_counted(limit: Limit, use: MessageUse) -> bool:
    fits = limit.channel in (None, use.channel) and limit.topic in (None, use.topic)
    return fits and not use.ignores_limits and use.kind != "transactional"


def _may_be_held(case: Case) -> bool:
    workspace = case.known.workspace
    by_workspace = workspace is not None and (workspace.quiet_hours is not None or bool(workspace.legal_hours))
    return by_workspace or any(case.written((word,)) for word in ("quiet_hours", "send_window", "closed", "throttle"))


def _in_common(one: Ages, other: Ages) -> Ages:
    """The k-th youngest message is at most as old as the older of the two."""
    paired = zip_longest(one, other)
    return tuple(max(here, there) for here, there in paired if here is not None and there is not None)


def _older(ages: Ages, by: timedelta | None, limit: timedelta) -> Ages:
    if by is None:
        return ()
    return tuple(age + by for age in ages if age + by < limit)


def _longest_stay(case: Case, step: Step) -> timedelta | None:
    """The most time that somebody stands at `step` whom nothing holds; None where there is no bound."""
    match step.verb.name:
        case "wait" if isinstance(step.action, Duration):
            return _longest(step.action)
        case "wait_for":
            return _longest(step.action.timeout)
        case "wait_until":
            written = case.written((*step.path, "wait_until"))
            if not isinstance(written, dict) or "date" in written:
                return None
            return (7 if "weekday" in written else 1) * _DAY + _CLOCK_CHANGE
        case "webhook" | "push":
            return None
    return _DAY + _CLOCK_CHANGE if options_of(step).send_at or case.written((*step.path, "send_at")) else timedelta()


def _longest(duration: Duration) -> timedelta:
    """On the calendar: a month has 31 days at most, and a day 25 hours when the clocks change."""
    days = 366 * duration.years + 31 * duration.months + 7 * duration.weeks + duration.days
    return timedelta(days=days) + duration.elapsed_part + (_CLOCK_CHANGE if duration.has_date_part else timedelta())
