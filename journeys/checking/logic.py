"""Conditions whose answer is known before anybody is asked: W115 (never) and W116 (always). Pure.

Only what is certain is said. Attributes that may be lists are compared within one matcher alone, because another
element may answer another condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from core.located import KeyPath
from customers.workspace import ValueKind
from journeys.checking.bounds import nothing_passes
from segments.language.rules import (
    AggregateKind,
    AllOf,
    AnyOf,
    AttributeRule,
    ConsentRule,
    EntryRule,
    EventRule,
    Leaf,
    Matcher,
    MessageRule,
    Not,
    Operator,
    Rule,
    ScoreRule,
    StepRule,
    Where,
)

Literal = tuple[Leaf, bool]  # a condition, and whether it is asked for as it stands or denied


@dataclass(frozen=True, slots=True)
class Settled:
    """A condition (at `path`) that holds for everybody or for nobody, and why."""

    path: KeyPath
    always: bool
    why: str


def iter_settled(rule: Rule, kinds: Mapping[str, ValueKind]) -> Iterator[Settled]:
    """The smallest parts of `rule` that are settled; `kinds` are those of the declared attributes."""
    if isinstance(rule, Leaf):
        yield from _of_leaf(rule)
        return
    parts = (rule.rule,) if isinstance(rule, Not) else rule.rules
    found = [settled for part in parts for settled in iter_settled(part, kinds)]
    yield from found
    if not found and not isinstance(rule, Not):
        yield from _among(rule, kinds)


def _of_leaf(leaf: Leaf) -> Iterator[Settled]:
    match leaf:
        case AttributeRule(matcher=matcher) | ScoreRule(matcher=matcher):
            yield from _of_matcher(matcher, (*leaf.path, "is"))
        case EventRule(where=where, aggregates=aggregates):
            yield from _of_where(where, (*leaf.path, "where"))
            for aggregate in aggregates:
                if aggregate.kind in (AggregateKind.COUNT, AggregateKind.DISTINCT):
                    yield from _of_count(aggregate.matcher, (*leaf.path, aggregate.kind.value))
                else:
                    yield from _of_matcher(aggregate.matcher, (*leaf.path, aggregate.kind.value, "is"))
        case MessageRule(where=where):
            yield from _of_where(where, (*leaf.path, "where"))
        case EntryRule(where=where):
            yield from _of_where(where, (*leaf.path, "entry"))


def _of_where(where: Where, path: KeyPath) -> Iterator[Settled]:
    for test in where:
        yield from _of_matcher(test.matcher, (*path, test.name))


def _of_matcher(matcher: Matcher, path: KeyPath) -> Iterator[Settled]:
    if nothing_passes(matcher.comparisons):
        yield Settled(path, False, "no value can pass this")


def _of_count(matcher: Matcher, path: KeyPath) -> Iterator[Settled]:
    yield from _of_matcher(matcher, path)
    bounds = {one.operator: float(one.operand) for one in matcher.comparisons if isinstance(one.operand, int | float)}
    if bounds.get(Operator.LT, 1) <= 0 or bounds.get(Operator.LTE, 0) < 0 or bounds.get(Operator.EQ, 0) < 0:
        yield Settled(path, False, "nothing is counted fewer than 0 times")
    elif len(matcher.comparisons) == 1 and bounds.get(Operator.GTE, 1) <= 0:
        yield Settled(path, True, "everybody has done it 0 times or more")


# -- conditions beside each other ------------------------------------------------------------------------------------


def _among(rule: AllOf | AnyOf, kinds: Mapping[str, ValueKind]) -> Iterator[Settled]:
    """The first pair in a list that settles the whole of it."""
    literals = _literals(rule.rules, type(rule))
    for (one, one_holds), (other, other_holds) in combinations(literals, 2):
        later = other.path or one.path
        if one == other and one_holds is not other_holds:
            if isinstance(rule, AllOf):
                yield Settled(later, False, "this and its opposite cannot both hold")
            else:
                yield Settled(later, True, "of this and its opposite one always holds")
            return
        if isinstance(rule, AllOf) and one_holds and other_holds and _exclude_each_other(one, other, kinds):
            yield Settled(later, False, "this and the condition above cannot both hold")
            return


def _literals(rules: Sequence[Rule], within: type[AllOf] | type[AnyOf]) -> list[Literal]:
    found: list[Literal] = []
    for rule in rules:
        if isinstance(rule, Leaf):
            found.append((rule, True))
        elif isinstance(rule, Not) and isinstance(rule.rule, Leaf):
            found.append((rule.rule, False))
        elif isinstance(rule, within):
            found += _literals(rule.rules, within)
    return found


def _exclude_each_other(one: Leaf, other: Leaf, kinds: Mapping[str, ValueKind]) -> bool:
    match one, other:
        case AttributeRule(), AttributeRule() if one.name == other.name:
            is_single = kinds.get(one.name, ValueKind.LIST) is not ValueKind.LIST
            return is_single and nothing_passes((*one.matcher.comparisons, *other.matcher.comparisons))
        case ScoreRule(), ScoreRule() if one.name == other.name:
            return nothing_passes((*one.matcher.comparisons, *other.matcher.comparisons))
        case ConsentRule(), ConsentRule():
            same = (one.channel, one.topic) == (other.channel, other.topic)
            return same and one.answer is not other.answer
        case StepRule(), StepRule():
            return one.step == other.step and one.was != other.was
    return False
