"""Whether the scores that conditions ask for are ever recorded: the database knows, and no file does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from console.project import Project
from core.errors import Fault
from core.located import KeyPath
from core.suggest import did_you_mean

_KINDS = ("segment", "campaign", "offer", "journey")


def check_scores(project: Project, recorded: Collection[str]) -> Iterable[Fault]:
    """E120 for a score that nobody recorded beside others that somebody did; W201 while there is none at all."""
    for kind in _KINDS:
        for file in project.of_kind(kind):
            for path, name in _conditions(file.located.data):
                if name in recorded:
                    continue
                if recorded:
                    hint = did_you_mean(name, recorded) or f"write one of {', '.join(sorted(recorded))}"
                    yield file.located.fault("E120", path, f"unknown score '{name}'", hint)
                else:
                    message = f"no score '{name}' was recorded yet, so nobody has one"
                    yield file.located.fault("W201", path, message, "record it before the file goes live")


def _conditions(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every condition `{score: name, is: …}` below `data`, with the way to its name."""
    if isinstance(data, Mapping):
        if isinstance(data.get("score"), str) and "is" in data:
            yield (*path, "score"), data["score"]
        for key, value in data.items():
            yield from _conditions(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _conditions(value, (*path, place))
