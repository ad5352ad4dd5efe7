"""Conditions as a person would say them: "tier is gold, and total is at least 200".

Pure. What is rare is left to the words of the YAML (`segments.language.wording`), which are exact if not beautiful.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from segments.language.matcher_parser import parse_where
from segments.language.parser import parse_conditions
from segments.language.rules import (
    AT_LEAST_ONCE,
    AllOf,
    AnyOf,
    AttributeRule,
    BranchRule,
    Comparison,
    ConsentRule,
    EntryRule,
    EventRule,
    Leaf,
    ListRule,
    Matcher,
    MessageRule,
    Not,
    Operator,
    Rule,
    ScoreRule,
    SegmentRule,
    Since,
    StepRule,
    Where,
)
from segments.language.wording import describe, length_in_words

_OPERATORS: Mapping[Operator, str] = {
    Operator.EQ: "is",
    Operator.NE: "is not",
    Operator.IN: "is one of",
    Operator.NOT_IN: "is none of",
    Operator.GT: "is more than",
    Operator.GTE: "is at least",
    Operator.LT: "is less than",
    Operator.LTE: "is at most",
    Operator.BETWEEN: "is between",
    Operator.CONTAINS: "contains",
    Operator.STARTS_WITH: "begins with",
    Operator.ENDS_WITH: "ends with",
    Operator.BEFORE: "is before",
    Operator.AFTER: "is after",
    Operator.ON: "is on",
    Operator.WITHIN: "lies within",
    Operator.OLDER_THAN: "is older than",
    Operator.FROM_EVENT: "is the entry's",
}
# Alike also for what is not known: `ne` and `not_in` hold there.
_OPPOSITES = {
    Operator.EQ: Operator.NE, Operator.NE: Operator.EQ, Operator.IN: Operator.NOT_IN, Operator.NOT_IN: Operator.IN,
}  # fmt: skip
_SINCE = {Since.EVER: "", Since.ENTRY: " since entering", Since.STEP: " since this step began"}
CHANNELS = {"email": "e-mail", "sms": "text", "voice": "call", "letter": "letter", "webhook": "webhook", "push": "push"}


def condition_in_words(data: Any) -> str:
    """The condition in YAML data that has been published, and so is known to be right."""
    return rule_in_words(parse_conditions(data, _ignore))


def awaited_in_words(data: Any) -> str:
    """A condition that is waited for, in words that follow "wait"."""
    rule = parse_conditions(data, _ignore)
    match rule:
        case MessageRule():
            return f"for {rule.name} to be {rule.was}{_where(rule.where)}"
        case EventRule():
            return f"for {rule_in_words(rule)}"
    return f"until {rule_in_words(rule)}"


def where_in_words(data: Any) -> str:
    """The properties that an event must have; "" when it may have any."""
    return _tests(parse_where(data, _ignore, ()))


def rule_in_words(rule: Rule) -> str:
    """On one line, without a full stop."""
    match rule:
        case AllOf():
            return _joined(rule.rules, ", and ") or "everybody"
        case AnyOf():
            return _joined(rule.rules, ", or ") or "nobody"
        case Not():
            return _negated(rule.rule)
        case AttributeRule():
            return f"{rule.name} {matcher_in_words(rule.matcher)}"
        case ScoreRule() if rule.max_age is None:
            return f"the score {rule.name} {matcher_in_words(rule.matcher)}"
        case ConsentRule():
            return f"consent to {rule.channel} about {rule.topic} is {rule.answer}"
        case SegmentRule():
            return f"they are in the segment {rule.slug}"
        case ListRule():
            return f"they are on the list {rule.slug}"
        case MessageRule():
            return f"{rule.name} was {rule.was}{_where(rule.where)}"
        case StepRule():
            return f"the step {rule.step} was {rule.was}"
        case BranchRule():
            return f"they went the way {rule.answer} at {rule.step}"
        case EntryRule():
            return f"the entry's {_tests(rule.where)}"
        case EventRule() if rule.aggregates == (AT_LEAST_ONCE,):
            within = "" if rule.within is None else f" within {length_in_words(rule.within)}"
            return f"{' or '.join(rule.names)}{_where(rule.where)}{within}{_SINCE[rule.since]}"
        case Leaf():
            return describe(rule)
    raise TypeError(f"{type(rule).__name__} has no words yet")


def _negated(rule: Rule) -> str:
    """ "they are not in the segment gold": the word stands where a person would put it, where that is plain."""
    match rule:
        case SegmentRule():
            return f"they are not in the segment {rule.slug}"
        case ListRule():
            return f"they are not on the list {rule.slug}"
        case BranchRule():
            return f"they did not go the way {rule.answer} at {rule.step}"
        case ConsentRule():
            return f"consent to {rule.channel} about {rule.topic} is not {rule.answer}"
        case MessageRule():
            return f"{rule.name} was not {rule.was}{_where(rule.where)}"
        case StepRule():
            return f"the step {rule.step} was not {rule.was}"
        case EventRule() if rule.aggregates == (AT_LEAST_ONCE,):
            return f"no {rule_in_words(rule)}"
        case AttributeRule() if len(comparisons := rule.matcher.comparisons) == 1:
            (one,) = comparisons
            if one.operator is Operator.EXISTS:
                return f"{rule.name} {'is not known' if one.operand else 'is known'}"
            if one.operator in _OPPOSITES:
                return f"{rule.name} {_OPERATORS[_OPPOSITES[one.operator]]} {_operand(one.operand)}"
        case Not():
            return rule_in_words(rule.rule)
    return f"not ({rule_in_words(rule)})"


def matcher_in_words(matcher: Matcher) -> str:
    return " and ".join(map(_comparison, matcher.comparisons))


def _joined(rules: Sequence[Rule], between: str) -> str:
    nested = (AllOf, AnyOf)
    return between.join(f"({rule_in_words(one)})" if isinstance(one, nested) else rule_in_words(one) for one in rules)


def _comparison(one: Comparison) -> str:
    if one.operator is Operator.EXISTS:
        return "is known" if one.operand else "is not known"
    return f"{_OPERATORS[one.operator]} {_operand(one.operand)}"


def _operand(operand: object) -> str:
    if isinstance(operand, tuple):
        return ", ".join(map(_operand, operand))
    if isinstance(operand, timedelta):
        return length_in_words(operand)
    if isinstance(operand, bool):
        return "yes" if operand else "no"
    return operand.isoformat() if isinstance(operand, date) else str(operand)


def _where(where: Where) -> str:
    return f" where {_tests(where)}" if where else ""


def _tests(where: Where) -> str:
    return " and ".join(f"{test.name} {matcher_in_words(test.matcher)}" for test in where)


def _ignore(*_place: Any, **_more: Any) -> None:
    """Faults were told when the file was checked."""
