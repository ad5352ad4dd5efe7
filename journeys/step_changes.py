"""What differs between two versions of a journey, step by step, in the words of their files. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from journeys.model import Journey
from journeys.places import find_place
from journeys.steps.contract import Step

# Where a step keeps other steps; what those are is told of them alone.
_HOLDS_STEPS = ("then", "on_timeout", "on_skip", "on_error", "else", "choose", "split", "bandit", "repeat")
_NOT_TOLD = ("journey", "steps", "note", "migrate")
_LONGEST = 60


class What(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class StepChange:
    """`step` is its id; `label` what a person calls it; `words` say what it does, or what becomes of what."""

    what: What
    step: str
    label: str
    words: str


def step_changes(
    old: Journey, old_document: Mapping[str, Any], new: Journey, new_document: Mapping[str, Any]
) -> list[StepChange]:
    """The steps that are removed, then those that are added or changed, each in the order of its file."""
    again: dict[str, Step] = {}
    changes = []
    for step in old.by_id.values():
        place = find_place(old, new, step.id)
        if place is None or not (place.is_same or place.step == step.id):
            changes.append(StepChange(What.REMOVED, step.id, _label(step), _words(_data(old_document, step))))
        else:
            again[place.step] = step
    for step in new.by_id.values():
        data = _data(new_document, step)
        if step.id not in again:
            changes.append(StepChange(What.ADDED, step.id, _label(step), _words(data)))
        elif (became := _difference(_data(old_document, again[step.id]), data, again[step.id], step)) is not None:
            changes.append(StepChange(What.CHANGED, again[step.id].id, _label(step), became))
    return changes


def key_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys of the journey itself that differ, as `mode: single → restart`."""
    names = [name for name in dict.fromkeys([*new, *old]) if name not in _NOT_TOLD]
    return [_became(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _label(step: Step) -> str:
    return step.id if step.has_own_id else f"({step.verb.name})"


def _data(document: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    found: Any = document
    for part in step.path:
        found = found[part]
    plain: Mapping[str, Any] = found
    return plain


def _words(data: Mapping[str, Any]) -> str:
    return next((_said(key, value) for key, value in _own(data)), "")


def _own(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the step says of itself."""
    for key, value in data.items():
        if key not in ("id", "note"):
            yield key, "…" if key in _HOLDS_STEPS and isinstance(value, list | Mapping) else value


def _difference(old: Mapping[str, Any], new: Mapping[str, Any], before: Step, after: Step) -> str | None:
    said, says = dict(_own(old)), dict(_own(new))
    names = [name for name in dict.fromkeys([*says, *said]) if said.get(name) != says.get(name)]
    if names:
        return "; ".join(_became(name, said.get(name), says.get(name)) for name in names)
    return (
        f"{after.verb.name} changed" if (before.action, before.condition) != (after.action, after.condition) else None
    )


def _became(name: str, old: Any, new: Any) -> str:
    if old is None:
        return f"{_said(name, new)} added"
    if new is None:
        return f"{_said(name, old)} removed"
    return f"{name}: {_short(old)} → {_short(new)}"


def _said(name: str, value: Any) -> str:
    return f"{name}: {_short(value)}"


def _short(value: Any) -> str:
    text = _flow(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case bool():
            return str(value).lower()
        case None:
            return "nothing"
        case _:
            return str(value)
