"""Conditions inside a journey: what it knows itself is answered here, everything else becomes a question.

Pure. A rule without leaves of its own is asked as a whole; of a mixed rule only the foreign leaves are asked, so that
the same question can be answered for many people at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from journeys.questions import Event, Happened, Holds, Question, UnansweredError
from segments.language.matcher import match_value, match_where
from segments.language.rules import (
    AggregateKind,
    BranchRule,
    Comparison,
    Constant,
    EntryRule,
    EventRule,
    Happening,
    Leaf,
    Matcher,
    MessageRule,
    Operator,
    PropertyTest,
    Rule,
    SequenceRule,
    Since,
    StepRule,
    Where,
    evaluate,
    iter_leaves,
)

# The log event that says so, and whether only a person's act counts.
HAPPENINGS: Mapping[Happening, str] = {
    Happening.SENT: "message_sent",
    Happening.DELIVERED: "message_delivered",
    Happening.OPENED: "message_opened",
    Happening.CLICKED: "link_clicked",
    Happening.BOUNCED: "message_bounced",
    Happening.COMPLAINED: "message_complained",
    Happening.UNSUBSCRIBED: "unsubscribed",
    Happening.FAILED: "message_failed",
    Happening.SKIPPED: "message_skipped",
    Happening.UNKNOWN: "message_unknown",
}
ABOUT_TASKS = frozenset({"task_created", "task_closed"})
BY_PEOPLE = frozenset({Happening.OPENED, Happening.CLICKED})


class Ground(Struct, frozen=True, gc=False):
    """What one person's passage knows by itself, and whom to ask for the rest."""

    ask: Callable[[Question], Any]
    now: datetime
    zone: ZoneInfo
    entered_at: datetime
    step_entered_at: datetime
    entry: Mapping[str, Any] = {}
    entry_event_id: int | None = None
    answers: Mapping[str, Sequence[str | int]] = {}
    outcomes: Mapping[str, str] = {}
    messages: Mapping[str, str] = {}
    own_steps: Collection[str] = ()
    tasks: Mapping[str, str] = {}  # of each step, the task that it has made last


def holds(rule: Rule, ground: Ground) -> bool:
    """Whether `rule` holds. Raises UnansweredError with every question that is still open."""
    leaves = (rule,) if isinstance(rule, Leaf) else tuple(iter_leaves(rule))
    for leaf in leaves:
        if _is_own(leaf, ground):
            break
    else:
        return bool(ground.ask(Holds(rule)))
    if len(leaves) == 1:
        answer = _answer(leaves[0], ground)
        return evaluate(rule, lambda _leaf: answer)
    answers: dict[int, bool] = {}
    unanswered: set[Question] = set()
    for leaf in leaves:
        try:
            answers[id(leaf)] = _answer(leaf, ground)
        except UnansweredError as error:
            unanswered |= error.questions
    if unanswered:
        raise UnansweredError(frozenset(unanswered))
    return evaluate(rule, lambda leaf: answers[id(leaf)])


def is_about_message(event: Event, was: Happening, message_id: str) -> bool:
    """Whether `event` says that this message met with `was`, by a person's hand where that matters."""
    if event.name != HAPPENINGS[was] or event.properties.get("message_id") != message_id:
        return False
    return was not in BY_PEOPLE or event.properties.get("is_human") is True


def matches(where: Where, event: Event, ground: Ground) -> bool:
    if event.name in ABOUT_TASKS and not _is_own_task(where, event, ground):
        return False
    return match_where(where, event.properties, entry=ground.entry, now=ground.now, zone=ground.zone)


def _is_own_task(where: Where, event: Event, ground: Ground) -> bool:
    """Who asks for the task of a step of this journey means the one of this run, not of an earlier or parallel one."""
    own = ground.tasks.get(str(event.properties.get("step")))
    asks = own is not None and any(test.name == "step" for test in where)
    return not asks or event.properties.get("task_id") == own


def compares_with_entry(where: Where) -> bool:
    return any(comparison.operator is Operator.FROM_EVENT for test in where for comparison in test.matcher.comparisons)


def _is_own(leaf: Leaf, ground: Ground) -> bool:
    if isinstance(leaf, EventRule):
        return leaf.since is not Since.EVER or compares_with_entry(leaf.where)
    if isinstance(leaf, SequenceRule):
        return leaf.since is not Since.EVER or any(compares_with_entry(part.where) for part in leaf.parts)
    if isinstance(leaf, MessageRule):
        return leaf.name in ground.own_steps
    return isinstance(leaf, EntryRule | BranchRule | StepRule | Constant)


def _answer(leaf: Leaf, ground: Ground) -> bool:
    match leaf:
        case Constant(holds=known):
            return known
        case EntryRule(where=where):
            return match_where(where, ground.entry, entry=ground.entry, now=ground.now, zone=ground.zone)
        case BranchRule(step=step, answer=answer):
            return answer in ground.answers.get(step, ())
        case StepRule(step=step, was=was):
            return ground.outcomes.get(step) == was
        case MessageRule() if _is_own(leaf, ground):
            return _message_met_with(leaf, ground)
        case EventRule() if _is_own(leaf, ground):
            return _happened(leaf, ground)
        case SequenceRule() if _is_own(leaf, ground):
            return bool(ground.ask(Holds(_of_this_run(leaf, ground))))
    return bool(ground.ask(Holds(leaf)))


def _message_met_with(leaf: MessageRule, ground: Ground) -> bool:
    message_id = ground.messages.get(leaf.name)
    if message_id is None:
        return leaf.was is Happening.SKIPPED and ground.outcomes.get(leaf.name) == Happening.SKIPPED
    events: Sequence[Event] = ground.ask(Happened((HAPPENINGS[leaf.was],), ground.entered_at))
    return any(is_about_message(event, leaf.was, message_id) and matches(leaf.where, event, ground) for event in events)


def _happened(leaf: EventRule, ground: Ground) -> bool:
    """Events since entering or since this step: counted here, because the start is everybody's own."""
    own_start = replace(leaf, since=Since.EVER, start=_start(leaf.since, ground))
    if any(aggregate.kind is not AggregateKind.COUNT for aggregate in leaf.aggregates):
        return bool(ground.ask(Holds(own_start)))
    since = own_start.starts_at(ground.now) or _THE_BEGINNING
    found: Sequence[Event] = ground.ask(Happened(leaf.names, since))
    count = sum(event.id != ground.entry_event_id and matches(leaf.where, event, ground) for event in found)
    return all(match_value(aggregate.matcher, count) for aggregate in leaf.aggregates)


def _of_this_run(leaf: SequenceRule, ground: Ground) -> SequenceRule:
    """The sequence with the start of this run, and with the values of its entry event."""
    parts = tuple(replace(part, where=_with_entry(part.where, ground.entry)) for part in leaf.parts)
    return replace(leaf, parts=parts, since=Since.EVER, start=_start(leaf.since, ground))


def _start(since: Since, ground: Ground) -> datetime | None:
    return {Since.ENTRY: ground.entered_at, Since.STEP: ground.step_entered_at}.get(since)


def _with_entry(where: Where, entry: Mapping[str, Any]) -> Where:
    def known(comparison: Comparison) -> Comparison:
        if comparison.operator is not Operator.FROM_EVENT:
            return comparison
        value = entry.get(str(comparison.operand))
        return Comparison(Operator.IN, (value,) if isinstance(value, str | int | float) else ())

    tests = ((test.name, map(known, test.matcher.comparisons)) for test in where)
    return tuple(PropertyTest(name, Matcher(tuple(comparisons))) for name, comparisons in tests)


_THE_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
