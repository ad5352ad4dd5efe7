"""Values with `{{ entry.x }}` or `{{ steps.id.x }}` in them, as `set`, `emit` and `with` take them. Pure.

A text that is one such expression becomes the value itself, with its kind; inside other text it becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_PATH = re.compile(r"(entry|steps)((?:\.\w+)+)", re.ASCII)


def mentioned_steps(value: Any) -> Iterator[tuple[str, str]]:
    """Of one value: (step id, "") for each step that it reads, ("", problem) for what cannot be read."""
    if not isinstance(value, str):
        return
    if "{%" in value or value.count("{{") != len(_EXPRESSION.findall(value)):
        yield "", f"'{value}' is more than a value"
    for expression in _EXPRESSION.findall(value):
        path = _PATH.fullmatch(expression)
        if path is None:
            yield "", f"'{expression}' cannot be read here"
        elif path[1] == "steps":
            yield path[2].split(".")[1], ""


def fill(value: Any, sources: Mapping[str, Any]) -> Any:
    """`value` with every expression replaced from `sources` (`entry`, `steps`). What is missing is None, or no text."""
    if isinstance(value, Mapping):
        return {key: fill(item, sources) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, sources) for item in value]
    if not isinstance(value, str):
        return value
    whole = _EXPRESSION.fullmatch(value)
    if whole is not None:
        return _look_up(whole[1], sources)
    return _EXPRESSION.sub(lambda found: _as_text(_look_up(found[1], sources)), value)


def _look_up(expression: str, sources: Mapping[str, Any]) -> Any:
    found: Any = sources
    for part in expression.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)
