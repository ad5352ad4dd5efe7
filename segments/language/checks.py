"""What is wrong with a rule that is written well: undeclared words, sealed values compared, steps in a segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.located import KeyPath
from core.suggest import did_you_mean
from customers.own_events import OWN_EVENTS
from customers.workspace import EventSpec, ValueKind, Workspace
from segments.compiling.attributes import ADDRESSES, COLUMNS, is_sealed
from segments.compiling.consents import CHANNELS
from segments.compiling.messages import PROPERTIES_OF_MESSAGES
from segments.language.leaf_checks import check_anniversary, check_near
from segments.language.matcher_parser import Report
from segments.language.rank_checks import check_ranked_attribute, check_ranked_property
from segments.language.rules import (
    AccountRule,
    AnniversaryRule,
    AttributeRule,
    BranchRule,
    Comparison,
    ConsentRule,
    EntryRule,
    EventRule,
    Leaf,
    Matcher,
    MessageRule,
    NearRule,
    Operator,
    RankRule,
    Rule,
    ScoreRule,
    SequenceRule,
    Since,
    StepRule,
    Where,
    iter_leaves,
)

DECLARE = "declare it there, or correct the name"
_OF_SEALED = frozenset({Operator.EXISTS, Operator.EQ, Operator.IN})
_EXAMPLES = {
    ValueKind.NUMBER: "compare it with a number, such as 20",
    ValueKind.TEXT: "compare it with a text, such as gold",
    ValueKind.BOOLEAN: "compare it with true or false",
    ValueKind.DATE: "compare it with a date, such as 2026-03-01",
    ValueKind.INSTANT: "compare it with an instant, such as 2026-03-01T10:00",
}
_OF_NO_VALUE = frozenset({Operator.EXISTS, Operator.FROM_EVENT})  # what they say is no value to compare with
_PROPERTIES = f"write one of {', '.join(sorted(PROPERTIES_OF_MESSAGES))}"
_TEXTUAL = frozenset({ValueKind.TEXT, ValueKind.DATE, ValueKind.INSTANT})


def check_population(rule: Rule, report: Report) -> None:
    """Reports what only a journey can answer: a segment has no steps and no entry."""
    for leaf in iter_leaves(rule):
        match leaf:
            case BranchRule():
                report("E111", (*leaf.path, "branch"), "a segment has no steps", "ask in a journey", at_key=True)
            case StepRule():
                report("E111", (*leaf.path, "step"), "a segment has no steps", "ask in a journey", at_key=True)
            case EntryRule():
                report("E123", (*leaf.path, "entry"), "a segment has no entry", "ask in a journey", at_key=True)
            case EventRule(since=since) | SequenceRule(since=since) if since is not Since.EVER:
                report("E123", (*leaf.path, "since"), f"a segment has no {since}", "write within, such as 30d")
        for path, comparison in _comparisons(leaf):
            if comparison.operator is Operator.FROM_EVENT:
                report("E123", path, "a segment has no entry event", "compare with a value")


def check_words(rule: Rule, workspace: Workspace, report: Report) -> None:
    """Reports sealed attributes that are compared (E125) and words that `workspace.yaml` does not declare (W201)."""
    events = {**OWN_EVENTS, **workspace.events}
    for leaf in iter_leaves(rule):
        match leaf:
            case AttributeRule():
                _check_attribute(leaf, workspace, report)
            case EventRule():
                _check_event(leaf, events, report)
            case ConsentRule():
                _check_consent(leaf, workspace, report)
            case ScoreRule():
                name = f"the score '{leaf.name}'"
                _check_kind(name, ValueKind.NUMBER, leaf.matcher, (*leaf.path, "is"), report)
            case RankRule():
                _check_rank(leaf, workspace, events, report)
            case SequenceRule():
                for place, part in enumerate(leaf.parts):
                    path = (*leaf.path, "sequence", place)
                    _check_event(EventRule(part.names, part.where, aggregates=(), path=path), events, report)
            case NearRule():
                check_near(leaf, workspace, report)
            case AnniversaryRule():
                check_anniversary(leaf, workspace, report)
            case MessageRule():
                for test in leaf.where:
                    if test.name not in PROPERTIES_OF_MESSAGES:
                        hint = did_you_mean(test.name, PROPERTIES_OF_MESSAGES) or _PROPERTIES
                        path = (*leaf.path, "where", test.name)
                        report("E102", path, f"a message has no '{test.name}'", hint, at_key=True)


def _check_attribute(leaf: AttributeRule, workspace: Workspace, report: Report) -> None:
    known = {*COLUMNS, *ADDRESSES, *workspace.attributes}
    if leaf.name not in known:
        message = f"the attribute '{leaf.name}' is not declared in workspace.yaml"
        report("W201", (*leaf.path, "attribute"), message, did_you_mean(leaf.name, known) or DECLARE)
        return
    if not is_sealed(leaf.name, workspace):
        kind = COLUMNS[leaf.name] if leaf.name in COLUMNS else workspace.attributes[leaf.name].kind
        _check_kind(f"'{leaf.name}'", kind, leaf.matcher, (*leaf.path, "is"), report)
        return
    for comparison in leaf.matcher.comparisons:
        if comparison.operator not in _OF_SEALED:
            message = f"'{leaf.name}' is sealed and cannot be asked for '{comparison.operator}'"
            report("E125", (*leaf.path, "is", comparison.operator.value), message, "use exists, eq or in")


def _check_event(leaf: EventRule, events: Mapping[str, EventSpec], report: Report) -> None:
    unknown = [name for name in leaf.names if name not in events]
    for name in unknown:
        path: KeyPath = (*leaf.path, "event") if len(leaf.names) == 1 else (*leaf.path, "event", leaf.names.index(name))
        message = f"the event '{name}' is not declared in workspace.yaml"
        report("W201", path, message, did_you_mean(name, events) or DECLARE)
    if unknown:
        return
    properties = {key: kind for name in leaf.names for key, kind in events[name].properties.items()}
    for test in leaf.where:
        path = (*leaf.path, "where", test.name)
        if test.name not in properties:
            message = f"'{test.name}' is not declared for the event '{leaf.names[0]}' in workspace.yaml"
            report("W201", path, message, did_you_mean(test.name, properties) or DECLARE, at_key=True)
        else:
            _check_kind(f"'{test.name}'", properties[test.name], test.matcher, path, report)
    for aggregate in leaf.aggregates:
        if aggregate.of and aggregate.of not in properties:
            message = f"'{aggregate.of}' is not declared for the event '{leaf.names[0]}' in workspace.yaml"
            path = (*leaf.path, aggregate.kind.value, "of")
            report("W201", path, message, did_you_mean(aggregate.of, properties) or DECLARE)


def _check_rank(leaf: RankRule, workspace: Workspace, events: Mapping[str, EventSpec], report: Report) -> None:
    basis, path = leaf.basis, (*leaf.path, "rank", "by")
    if isinstance(basis, str):
        check_ranked_attribute(basis, workspace, path, report)
        return
    _check_event(EventRule(basis.names, where=basis.where, aggregates=(), path=path), events, report)
    if all(name in events for name in basis.names):
        check_ranked_property(basis, events, path, report)


def _check_consent(leaf: ConsentRule, workspace: Workspace, report: Report) -> None:
    path = (*leaf.path, "consent")
    if leaf.channel not in CHANNELS:
        hint = did_you_mean(leaf.channel, CHANNELS) or f"write one of {', '.join(sorted(CHANNELS))}"
        report("E103", path, f"nobody consents to the channel '{leaf.channel}'", hint)
    elif leaf.topic not in workspace.topics:
        hint = did_you_mean(leaf.topic, workspace.topics) or "add it under `topics` in workspace.yaml"
        report("E120", path, f"unknown topic '{leaf.topic}'", hint)


def _check_kind(name: str, kind: ValueKind, matcher: Matcher, path: KeyPath, report: Report) -> None:
    """Warns of a comparison that no value of `kind` can pass."""
    for comparison in matcher.comparisons:
        values = comparison.operand if isinstance(comparison.operand, tuple) else (comparison.operand,)
        if comparison.operator in _OF_NO_VALUE or any(_can_be(kind, value) for value in values) or not values:
            continue
        place = (*path, comparison.operator.value)
        message = f"{name} is declared as {kind}, and this never matches one"
        report("W201", place, message, _EXAMPLES.get(kind, "compare with its own kind"))


def _can_be(kind: ValueKind, value: object) -> bool:
    if kind is ValueKind.LIST:
        return True
    if isinstance(value, bool):
        return kind is ValueKind.BOOLEAN
    if isinstance(value, int | float):
        return kind is ValueKind.NUMBER
    return kind in _TEXTUAL  # a text, or a date or a window, which are written as text


def _comparisons(leaf: Leaf) -> Iterator[tuple[KeyPath, Comparison]]:
    for place, where in _wheres(leaf):
        for test in where:
            for comparison in test.matcher.comparisons:
                yield (*place, "where", test.name, comparison.operator.value), comparison
    if isinstance(leaf, AttributeRule | ScoreRule):
        for comparison in leaf.matcher.comparisons:
            yield (*leaf.path, "is", comparison.operator.value), comparison


def _wheres(leaf: Leaf) -> Iterator[tuple[KeyPath, Where]]:
    """Everything that is asked of properties, and what it stands under."""
    if isinstance(leaf, EventRule | MessageRule):
        yield leaf.path, leaf.where
    elif isinstance(leaf, AccountRule):
        yield (*leaf.path, "account"), leaf.where
    elif isinstance(leaf, SequenceRule):
        for number, part in enumerate(leaf.parts):
            yield (*leaf.path, "sequence", number), part.where
