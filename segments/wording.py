"""A condition in the words of its YAML, on one line: for `explain`, run pages and faults."""

from __future__ import annotations

from datetime import date, timedelta

from segments.rules import (
    AT_LEAST_ONCE,
    Aggregate,
    AttributeRule,
    BranchRule,
    CaseRule,
    ConsentRule,
    Constant,
    EntryRule,
    EventRule,
    Leaf,
    ListRule,
    Matcher,
    MessageRule,
    SegmentRule,
    Since,
    StepRule,
    Where,
)

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)), ("s", timedelta(seconds=1)))


def describe(leaf: Leaf) -> str:
    """Such as `event order_placed within 30d, count gte 2`."""
    match leaf:
        case AttributeRule():
            return f"attribute {leaf.name} {describe_matcher(leaf.matcher)}"
        case EventRule():
            return _event(leaf)
        case ConsentRule():
            return f"consent {leaf.channel}.{leaf.topic} is {leaf.answer}"
        case SegmentRule():
            return f"segment {leaf.slug}"
        case ListRule():
            return f"list {leaf.slug}"
        case MessageRule():
            return f"message {leaf.name} was {leaf.was}{_where(leaf.where)}"
        case CaseRule():
            return _case(leaf)
        case BranchRule():
            return f"branch {leaf.step} is {leaf.answer}"
        case StepRule():
            return f"step {leaf.step} was {leaf.was}"
        case EntryRule():
            return f"entry{_where(leaf.where)}"
        case Constant():
            return "always" if leaf.holds else "never"
    raise TypeError(f"{type(leaf).__name__} has no words yet")


def describe_matcher(matcher: Matcher) -> str:
    return " and ".join(f"{one.operator} {_operand(one.operand)}" for one in matcher.comparisons)


def _event(leaf: EventRule) -> str:
    text = f"event {' or '.join(leaf.names)}{_where(leaf.where)}"
    if leaf.within is not None:
        text += f" within {_length(leaf.within)}"
    if leaf.since is not Since.EVER:
        text += f" since {leaf.since}"
    return ", ".join([text, *(_aggregate(one) for one in leaf.aggregates if one != AT_LEAST_ONCE)])


def _case(leaf: CaseRule) -> str:
    asked = (("status", leaf.status), ("kind", leaf.kind))
    return "case " + ", ".join(f"{word} {describe_matcher(matcher)}" for word, matcher in asked if matcher is not None)


def _aggregate(aggregate: Aggregate) -> str:
    of = f" of {aggregate.of}" if aggregate.of else ""
    return f"{aggregate.kind}{of} {describe_matcher(aggregate.matcher)}"


def _where(where: Where) -> str:
    conditions = " and ".join(f"{test.name} {describe_matcher(test.matcher)}" for test in where)
    return f" where {conditions}" if conditions else ""


def _operand(operand: object) -> str:
    if isinstance(operand, tuple):
        return f"[{', '.join(_operand(one) for one in operand)}]"
    if isinstance(operand, timedelta):
        return _length(operand)
    if isinstance(operand, bool):
        return str(operand).lower()
    return operand.isoformat() if isinstance(operand, date) else str(operand)


def _length(length: timedelta) -> str:
    parts = []
    for unit, size in _UNITS:
        count, length = divmod(length, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"
