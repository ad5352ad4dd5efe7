"""Fills `{{name}}`, `{{a.b}}` and `{{{name}}}` of an inline template, which is as much of Handlebars as mail
merging needs. Pure.

Like SES it fails on a value that is missing; block helpers are not supported and fail by name.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\{\s*([^{}]+?)\s*\}\}\}|\{\{\s*([^{}]+?)\s*\}\}")


class RenderingError(Exception):
    """The template and its data do not fit; the sentence is the one in the `Rendering Failure` event."""


def fill(template: str, values: dict[str, Any], escape_values: bool) -> str:
    """`template` with its placeholders replaced; `{{{name}}}` is never escaped."""
    return _PLACEHOLDER.sub(lambda found: _value(found, values, escape_values), template)


def _value(found: re.Match[str], values: dict[str, Any], escape_values: bool) -> str:
    name = found[1] or found[2]
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise RenderingError(f"Attribute '{name}' is not present in the rendering data.")
        value = value[part]
    text = value if isinstance(value, str) else str(value)
    return escape(text) if escape_values and found[2] else text
