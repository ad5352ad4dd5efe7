"""The address of a letter: the columns that its template names, filled from the profile's attributes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OPTIONAL = "?"


def fill_columns(address: Sequence[tuple[str, str]], profile: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Column to text, and the attributes that are missing and may not be; `profile` is as templates see it."""
    columns, missing = {}, []
    for column, attribute in address:
        name = attribute.removesuffix(OPTIONAL)
        value = profile.get(name)
        text = "" if value is None else " ".join(str(value).split())
        if not text and name == attribute:
            missing.append(name)
        columns[column] = text
    return columns, missing
