"""Words that workspace.yaml does not know, wherever a journey asks about events and attributes: W201 and E125.

An event that a step emits, or that the data has seen, is known although nobody declared it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import Fault
from core.located import KeyPath
from core.suggest import did_you_mean
from customers.own_events import OWN_EVENTS
from customers.workspace import Workspace
from journeys.checking.case import Case
from segments.language.checks import DECLARE, check_words
from segments.language.matcher_parser import parse_where
from segments.language.rules import EventRule, Leaf, SequenceRule, iter_leaves


def undeclared(case: Case) -> Iterator[Fault]:
    """E125, W201, and E120 for the topic of a consent."""
    workspace = case.known.workspace
    if workspace is None:
        return
    found: list[Fault] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        found.append(case.fault(code, path, message, hint, at_key=at_key))

    for leaf in [*_events_beside_conditions(case), *(leaf for rule in case.rules for leaf in iter_leaves(rule))]:
        if not _is_known_otherwise(leaf, case, workspace):
            check_words(leaf, workspace, report)
    yield from found
    yield from _keys(case, workspace)


def iter_triggers(case: Case) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The triggers as written, with their places."""
    written = case.written(("enter",))
    if isinstance(written, list):
        for place, item in enumerate(written):
            yield ("enter", place), item
    elif written:
        yield ("enter",), written


def names_of(written: str | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([written] if isinstance(written, str) else written))


def _events_beside_conditions(case: Case) -> Iterator[EventRule]:
    """The events of triggers, goal and rewards, as conditions that ask for them."""
    places: list[tuple[KeyPath, Mapping[str, Any]]] = [*iter_triggers(case)]
    if case.journey.goal is not None:
        places.append((("goal",), case.written(("goal",)) or {}))
    for step in case.steps:
        paths: list[KeyPath] = [(*step.path, "reward"), (*step.path, step.verb.name, "reward")]
        places += [(path, case.written(path) or {}) for path in paths]
    for path, written in places:
        if "event" in written:
            where = parse_where(written.get("where", {}), _ignore, (*path, "where"))
            yield EventRule(names_of(written["event"]), where=where, aggregates=(), path=path)


def _ignore(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
    """The reader has reported it."""


def _is_known_otherwise(leaf: Leaf, case: Case, workspace: Workspace) -> bool:
    """Whether it is about events of which nothing more is known than that there are some."""
    match leaf:
        case EventRule(names=names):
            asked = set(names)
        case SequenceRule(parts=parts):
            asked = {name for part in parts for name in part.names}
        case _:
            return False
    others = asked - {*OWN_EVENTS, *workspace.events}
    return bool(others) and others <= {*case.known.events}


def _keys(case: Case, workspace: Workspace) -> Iterator[Fault]:
    """W201 for the `key` of a trigger whose events do not declare it."""
    events = {**OWN_EVENTS, **workspace.events}
    for path, written in iter_triggers(case):
        names = names_of(written.get("event", []))
        key = written.get("key")
        if key is None or not names or any(name not in events for name in names):
            continue
        declared = {one for name in names for one in events[name].properties}
        if key not in declared:
            message = f"'{key}' is not declared for the event '{names[0]}' in workspace.yaml"
            yield case.fault("W201", (*path, "key"), message, did_you_mean(key, declared) or DECLARE)
