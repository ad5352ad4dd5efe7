"""`wait_for: {event: profile_completed}` with `timeout`: stand still until something happens, but not for ever.

Of everything that happened in `[step entered, deadline)` the earliest counts, whatever the order in which it became
known; what happens at the deadline itself is outside. With `count`, `sum` and the like the wait ends with the event
that makes it enough, with `within` reckoned over so long before it. Conditions on a state (a segment, an attribute,
consent) pass at once when they are true already, and so does what a person did with an earlier message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.durations import Duration, add_calendar
from journeys.conditions import HAPPENINGS, is_about_message, matches
from journeys.questions import Event
from journeys.steps.contract import ANY_EVENT, Decision, Done, End, Outcome, Stay, Step, StepSpec, Verb
from journeys.steps.reckoning import is_reached
from journeys.steps.run import Run
from journeys.transition import EndReason
from segments.language.rules import EventRule, MessageRule, Rule, Since

TIMEOUT = "timeout"


class Afterwards(StrEnum):
    CONTINUE = "continue"
    EXIT = "exit"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is waited for. `since` is from when events count; only events have it."""

    rule: Rule
    since: Since = Since.STEP


@dataclass(frozen=True, slots=True)
class WaitFor:
    items: tuple[Item, ...]
    timeout: Duration
    on_timeout: Afterwards


@dataclass(frozen=True, slots=True)
class Match:
    """An item (from 1) that happened; ties are decided by list order, then event id."""

    at: datetime
    item_no: int
    event: Event | None = None

    @property
    def order(self) -> tuple[datetime, int, int]:
        return (self.at, self.item_no, self.event.id if self.event else 0)


def parse(spec: StepSpec) -> WaitFor:
    data: Any = spec.data["wait_for"]
    listed = isinstance(data, list)
    places: list[tuple[Any, tuple[str | int, ...]]] = (
        [(item, ("wait_for", number)) for number, item in enumerate(data)] if listed else [(data, ("wait_for",))]
    )
    items = tuple(_item(spec, item, path) for item, path in places)
    on_timeout = spec.data.get("on_timeout", Afterwards.CONTINUE)
    if "then" in spec.data:
        spec.block("then", "then")
    if isinstance(on_timeout, list):
        spec.block("on_timeout", "on_timeout")
        on_timeout = Afterwards.STEPS
    return WaitFor(items, spec.duration(spec.data["timeout"], "timeout"), Afterwards(on_timeout))


def _item(spec: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...]) -> Item:
    rule = spec.conditions(data, *path)
    if isinstance(rule, EventRule):
        return Item(rule, Since(data.get("since", Since.STEP)))
    return Item(rule)


def advance(step: Step, run: Run) -> Decision:
    action: WaitFor = step.action
    if run.memo is None:
        since, deadline = run.now, add_calendar(run.now, action.timeout, run.zone)
    else:
        since, deadline = (datetime.fromisoformat(run.memo[name]) for name in ("since", "until"))
    found = min(_matches(action.items, run, since, deadline), key=lambda match: match.order, default=None)
    if found is not None:
        if found.event is not None:
            run.results[step.id] = {"event": dict(found.event.properties)}
        return Done(answers=(found.item_no,), block="then" if "then" in step.blocks else None)
    if run.now >= deadline:
        run.missed[step.id] = [since.isoformat(), deadline.isoformat()]
        if action.on_timeout is Afterwards.EXIT:
            return End(EndReason.TIMED_OUT)
        block = "on_timeout" if action.on_timeout is Afterwards.STEPS else None
        return Done(Outcome.TIMED_OUT, (TIMEOUT,), block)
    names = [(number, name) for number, item in enumerate(action.items, start=1) for name in _names(item, run)]
    return Stay({"since": since.isoformat(), "until": deadline.isoformat()}, deadline, names)


def is_late(step: Step, run: Run, event: Event) -> bool:
    """Whether `event` would have ended a wait that had timed out before it became known."""
    window = run.missed.get(step.id)
    if window is None:
        return False
    since, deadline = map(datetime.fromisoformat, window)
    return any(
        _start(item, run, since) <= event.occurred_at < deadline
        and _is_enough(item.rule, [event])
        and _is_it(item.rule, event, run)
        for item in step.action.items
    )


def event_names(action: WaitFor) -> Iterator[str]:
    """The events by which the wait may end, conditions on a state aside."""
    for item in action.items:
        if isinstance(item.rule, EventRule):
            yield from item.rule.names
        elif isinstance(item.rule, MessageRule):
            yield HAPPENINGS[item.rule.was]


def _matches(items: Sequence[Item], run: Run, since: datetime, deadline: datetime) -> Iterator[Match]:
    for number, item in enumerate(items, start=1):
        if _is_edge(item, run):
            start = _start(item, run, since)
            happened = run.happened(_names(item, run), start)
            hits = [event for event in happened if event.occurred_at < deadline and _is_it(item.rule, event, run)]
            for count, event in enumerate(hits, start=1):
                if _is_enough(item.rule, hits[:count]):
                    yield Match(event.occurred_at, number, event)
                    break
        elif run.now < deadline and run.holds(item.rule):
            yield Match(run.now, number)


def _is_enough(rule: Rule, hits: Sequence[Event]) -> bool:
    """Whether the wait is over with the last of `hits`: the first, unless the rule asks for more."""
    return is_reached(rule, hits) if isinstance(rule, EventRule) else True


def _is_edge(item: Item, run: Run) -> bool:
    return isinstance(item.rule, EventRule) or (
        isinstance(item.rule, MessageRule) and item.rule.name in run.journey.by_id
    )


def _start(item: Item, run: Run, since: datetime) -> datetime:
    """What a person did with a message before this wait began still counts: it can only have followed the message."""
    if isinstance(item.rule, MessageRule) or item.since is Since.ENTRY:
        return run.enrolment.entered_at
    return since if item.since is Since.STEP else _THE_BEGINNING


def _is_it(rule: Rule, event: Event, run: Run) -> bool:
    if isinstance(rule, EventRule):
        return event.name in rule.names and matches(rule.where, event, run.ground)
    if isinstance(rule, MessageRule):
        message_id = run.messages.get(rule.name)
        about = message_id is not None and is_about_message(event, rule.was, message_id)
        return about and matches(rule.where, event, run.ground)
    return False


def _names(item: Item, run: Run) -> tuple[str, ...]:
    if isinstance(item.rule, EventRule):
        return item.rule.names
    if isinstance(item.rule, MessageRule) and item.rule.name in run.journey.by_id:
        return (HAPPENINGS[item.rule.was],)
    return (ANY_EVENT,)


def can_go_on(step: Step) -> bool:
    action: WaitFor = step.action
    return "then" not in step.blocks or action.on_timeout is Afterwards.CONTINUE


_THE_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

VERB = Verb("wait_for", parse, advance, waits=True, can_go_on=can_go_on)
