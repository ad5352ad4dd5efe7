"""Conditions from YAML data to a rule tree, for everything that has conditions.

The data must have passed its JSON Schema, which reports keys, types and forms; here come the faults of meaning, at
their places. Each leaf of the language has one function in `LEAVES`; what is known and does not work yet stands in
`NOT_YET`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from core.durations import parse_duration
from core.located import KeyPath
from core.suggest import did_you_mean
from segments.language.case_words import parse_case_word
from segments.language.leaf_parser import (
    parse_account,
    parse_anniversary,
    parse_local_time,
    parse_near,
    parse_owns,
    parse_sequence,
)
from segments.language.matcher_parser import Report, is_askable, parse_matcher, parse_where
from segments.language.rank_parser import parse_rank
from segments.language.rules import (
    AT_LEAST_ONCE,
    Aggregate,
    AggregateKind,
    AllOf,
    AnyOf,
    AttributeRule,
    BranchRule,
    CaseRule,
    ConsentAnswer,
    ConsentRule,
    Constant,
    EntryRule,
    EventRule,
    Happening,
    Leaf,
    ListRule,
    MessageRule,
    Not,
    Rule,
    ScoreRule,
    SegmentRule,
    Since,
    StepRule,
)

Data = Mapping[str, Any]

NOT_YET = frozenset({"device"})
COMBINATORS = frozenset({"all", "any", "not"})


def parse_conditions(data: Any, report: Report, path: KeyPath = ()) -> Rule:
    """The rule that `data` means: one condition, or a list of which all must hold.

    Every fault goes to `report`; in the place of what cannot be understood stands a condition that never holds.
    `path` leads to `data` in its file.
    """
    if isinstance(data, list):
        return AllOf(_parts(data, report, path))
    word = next((key for key in data if key in LEAVES or key in NOT_YET or key in COMBINATORS), None)
    if word is None:
        known = {*LEAVES, *COMBINATORS}
        first = next(iter(data), "")
        hint = did_you_mean(first, known) or "write {segment: vip}, {attribute: country, is: DE} or another one"
        report("E102", (*path, first), f"unknown condition '{first}'", hint, at_key=True)
        return Constant(False, path=path)
    if word in NOT_YET:
        message = f"the condition '{word}' is known and does not work yet"
        report("E160", (*path, word), message, "leave it out for now", at_key=True)
        return Constant(False, path=path)
    if word == "not":
        return Not(parse_conditions(data[word], report, (*path, word)))
    if word in COMBINATORS:
        parts = _parts(data[word], report, (*path, word))
        return AllOf(parts) if word == "all" else AnyOf(parts)
    return LEAVES[word](data, report, path)


def _parts(data: list[Any], report: Report, path: KeyPath) -> tuple[Rule, ...]:
    return tuple(parse_conditions(item, report, (*path, place)) for place, item in enumerate(data))


def _attribute(data: Data, report: Report, path: KeyPath) -> Leaf:
    matcher = parse_matcher(data["is"], report, (*path, "is"))
    if not is_askable(data["attribute"], report, (*path, "attribute")):
        return Constant(False, path=path)
    return AttributeRule(data["attribute"], matcher, path=path)


def _event(data: Data, report: Report, path: KeyPath) -> Leaf:
    names = data["event"]
    kinds = [kind for kind in AggregateKind if kind in data]
    aggregates = tuple(_aggregate(kind, data[kind], report, (*path, kind)) for kind in kinds)
    return EventRule(
        tuple(dict.fromkeys([names] if isinstance(names, str) else names)),
        where=parse_where(data.get("where", {}), report, (*path, "where")),
        within=_duration(data.get("within")),
        since=Since(data.get("since", Since.EVER)),
        aggregates=aggregates or (AT_LEAST_ONCE,),
        path=path,
    )


def _aggregate(kind: AggregateKind, data: Any, report: Report, path: KeyPath) -> Aggregate:
    if kind is AggregateKind.COUNT:
        return Aggregate(kind, None, parse_matcher(data, report, path))
    askable = is_askable(data["of"], report, (*path, "of"))
    return Aggregate(kind, data["of"] if askable else "", parse_matcher(data["is"], report, (*path, "is")))


def _duration(text: str | None) -> timedelta | None:
    return None if text is None else parse_duration(text).as_elapsed()


def _consent(data: Data, report: Report, path: KeyPath) -> Leaf:
    channel, dot, topic = data["consent"].partition(".")
    if not (channel and dot and topic):
        message = f"'{data['consent']}' is not a channel and a topic"
        report("E103", (*path, "consent"), message, "write both, such as email.marketing")
        return Constant(False, path=path)
    return ConsentRule(channel, topic, ConsentAnswer(data["is"]), path=path)


def _segment(data: Data, _report: Report, path: KeyPath) -> Leaf:
    return SegmentRule(data["segment"], path=path)


def _list(data: Data, _report: Report, path: KeyPath) -> Leaf:
    return ListRule(data["list"], path=path)


def _message(data: Data, report: Report, path: KeyPath) -> Leaf:
    where = parse_where(data.get("where", {}), report, (*path, "where"))
    return MessageRule(data["message"], Happening(data["was"]), where, path=path)


def _case(data: Data, report: Report, path: KeyPath) -> Leaf:
    asked = {word: parse_case_word(word, value, report, (*path, "case", word)) for word, value in data["case"].items()}
    return CaseRule(**asked, path=path)


def _score(data: Data, report: Report, path: KeyPath) -> Leaf:
    matcher = parse_matcher(data["is"], report, (*path, "is"))
    return ScoreRule(data["score"], matcher, _duration(data.get("max_age")), path=path)


def _branch(data: Data, _report: Report, path: KeyPath) -> Leaf:
    return BranchRule(data["branch"], data["is"], path=path)


def _step(data: Data, _report: Report, path: KeyPath) -> Leaf:
    return StepRule(data["step"], data["was"], path=path)


def _entry(data: Data, report: Report, path: KeyPath) -> Leaf:
    return EntryRule(parse_where(data["entry"], report, (*path, "entry")), path=path)


LEAVES: Mapping[str, Callable[[Data, Report, KeyPath], Leaf]] = {
    "segment": _segment,
    "list": _list,
    "attribute": _attribute,
    "event": _event,
    "message": _message,
    "consent": _consent,
    "case": _case,
    "score": _score,
    "rank": parse_rank,
    "sequence": parse_sequence,
    "owns": parse_owns,
    "near": parse_near,
    "anniversary": parse_anniversary,
    "local_time": parse_local_time,
    "account": parse_account,
    "branch": _branch,
    "step": _step,
    "entry": _entry,
}
