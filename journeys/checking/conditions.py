"""Conditions that decide nothing: W115 where nobody can pass, W116 where everybody does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.errors import Fault
from core.located import KeyPath
from customers.workspace import ValueKind
from journeys.checking.case import Case
from journeys.checking.logic import iter_settled
from journeys.graph import reachable_from
from journeys.steps.contract import Step
from journeys.steps.wait_for import Afterwards, WaitFor
from segments.compiling.attributes import COLUMNS
from segments.language.rules import AllOf, BranchRule, Leaf, Not, Rule, iter_leaves

_NEVER = "correct it, or take it out: what depends on it never happens"
_ALWAYS = "correct it, or take it out: it makes no difference"


def settled_conditions(case: Case) -> Iterator[Fault]:
    """W115, W116 in every condition by itself."""
    declared = case.known.workspace.attributes if case.known.workspace else {}
    kinds: Mapping[str, ValueKind] = {**COLUMNS, **{name: spec.kind for name, spec in declared.items()}}
    for rule in case.rules:
        for settled in iter_settled(rule, kinds):
            code, hint = ("W116", _ALWAYS) if settled.always else ("W115", _NEVER)
            yield case.fault(code, settled.path, settled.why, hint)


def branches_in_vain(case: Case) -> Iterator[Fault]:
    """W115 for a branch of `choose` that asks what one above it has asked already."""
    for step in case.steps:
        if step.verb.name != "choose":
            continue
        for place, branch in enumerate(step.action):
            if any(branch.condition == above.condition for above in step.action[:place]):
                path = (*step.path, "choose", place, "if")
                yield case.fault("W115", path, "a branch above asks the same, and takes everybody", _NEVER)


def wrong_arms(case: Case) -> Iterator[Fault]:
    """W115 for what asks of a way that nobody has taken who arrives here, and for two ways of one step at once."""
    for step in case.steps:
        for rule in step.rules:
            for leaf in iter_leaves(rule):
                other = case.journey.by_id.get(leaf.step) if isinstance(leaf, BranchRule) else None
                if isinstance(leaf, BranchRule) and other is not None and _cannot_come_from(case, step, other, leaf):
                    why = f"nobody who arrives here took '{leaf.answer}' at '{leaf.step}'"
                    yield case.fault("W115", (*leaf.path, "is"), why, _NEVER)
            yield from _two_ways(case, rule)


def _cannot_come_from(case: Case, step: Step, other: Step, leaf: BranchRule) -> bool:
    """Whether the way that is asked for leads only past `step`."""
    if not case.can_precede(other.id, step.id):
        return False
    if isinstance(other.action, WaitFor) and leaf.answer == "timeout" and other.action.on_timeout is Afterwards.EXIT:
        return True
    block = other.blocks.get(_block_of(other, leaf.answer))
    if not block:
        return False
    return step.id not in reachable_from(case.ways, frozenset({block[0].id}))


def _block_of(step: Step, answer: str | int) -> str:
    if step.verb.name == "choose":
        named = (branch.block for branch in step.action if answer in branch.answers)
        return next(named, str(answer))
    if step.verb.name == "wait_for":
        return "on_timeout" if answer == "timeout" else "then"
    return str(answer)


def _two_ways(case: Case, rule: Rule) -> Iterator[Fault]:
    taken: dict[str, BranchRule] = {}
    for leaf in _required(rule):
        if not isinstance(leaf, BranchRule):
            continue
        earlier = taken.setdefault(leaf.step, leaf)
        step = case.journey.by_id.get(leaf.step)
        if step is not None and _block_of(step, earlier.answer) != _block_of(step, leaf.answer):
            path: KeyPath = (*leaf.path, "is")
            yield case.fault("W115", path, f"nobody takes two ways at '{leaf.step}'", _NEVER)


def _required(rule: Rule) -> Iterator[Leaf]:
    """The leaves that must all hold."""
    if isinstance(rule, Leaf):
        yield rule
    elif isinstance(rule, AllOf):
        for part in rule.rules:
            yield from _required(part)
    elif isinstance(rule, Not) and isinstance(rule.rule, Not):
        yield from _required(rule.rule.rule)
