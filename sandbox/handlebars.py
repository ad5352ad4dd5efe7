"""Fills `{{name}}`, `{{a.b}}` and `{{{name}}}` of an inline template, which is as much of Handlebars as mail
merging needs. Pure.

Like SES it fails on a value that is missing; block helpers are not supported and fail by name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\{\s*([^{}]+?)\s*\}\}\}|\{\{\s*([^{}]+?)\s*\}\}")


class RenderingError(Exception):
    """The template and its data do not fit; the sentence is the one in the `Rendering Failure` event."""


def fill(template: str, values: dict[str, Any], escape_values: bool) -> str:
    """`template` with its placeholders replaced; `{{{name}}}` is never escaped."""
    words, names = _taken_apart(template)
    filled = [words[0]]
    for (name, is_plain), word in zip(names, words[1:], strict=True):
        text = values.get(name)
        if type(text) is not str:
            text = _value(name, values)
        filled.append(text if is_plain or not escape_values else escape(text))
        filled.append(word)
    return "".join(filled)


@lru_cache(maxsize=16)
def _taken_apart(template: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """The words around the placeholders, and each placeholder's name and whether it has three braces."""
    found = _PLACEHOLDER.split(template)
    names = [(three or two, three is not None) for three, two in zip(found[1::3], found[2::3], strict=True)]
    return found[::3], names


def _value(name: str, values: dict[str, Any]) -> str:
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise RenderingError(f"Attribute '{name}' is not present in the rendering data.")
        value = value[part]
    return value if isinstance(value, str) else str(value)
