"""What is wrong with `retention`: too short for what depends on it, or shorter than a condition looks back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from console.project import Project
from console.retention import LEAST
from core.durations import Duration
from core.errors import Fault
from core.located import KeyPath, Located
from customers.workspace import Workspace
from segments.language.rules import EventRule, Leaf, RankRule, Reckoning, Rule, SequenceRule, iter_leaves


def check_lengths(project: Project, workspace: Workspace) -> Iterable[Fault]:
    """E138 for everything that would be let go of while it is still needed."""
    assert project.workspace is not None  # the workspace was read from it
    for word, length in workspace.retention.items():
        least = LEAST.get(word)
        if least is not None and length.as_elapsed() < least.as_elapsed():
            message = f"{word} cannot be kept for {length} only"
            yield project.workspace.located.fault("E138", ("retention", word), message, f"write {least} or more")


def check_windows(located: Located, rule: Rule, workspace: Workspace) -> Iterable[Fault]:
    """W206 for conditions of the file `located` that look back to events which are deleted by then."""
    kept = workspace.retention.get("events")
    if kept is None:
        return
    for leaf in iter_leaves(rule):
        within, path = _window(leaf)
        if within is not None and within > kept.as_elapsed():
            message = f"this looks back {_days(within)}, and events are kept for {kept}"
            hint = "make the one shorter or the other longer"
            yield located.fault("W206", path, message, hint)


def _window(leaf: Leaf) -> tuple[timedelta | None, KeyPath]:
    """How far `leaf` looks back to events, and where that is written."""
    match leaf:
        case EventRule(within=within) | SequenceRule(within=within):
            return within, (*leaf.path, "within")
        case RankRule(basis=Reckoning(within=within)):
            return within, (*leaf.path, "rank", "by", "within")
    return None, leaf.path


def _days(length: timedelta) -> str:
    return str(Duration(days=length.days)) if length.days else f"{length.total_seconds():.0f}s"
