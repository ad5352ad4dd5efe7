"""`settings.md`: every environment variable, from `core.settings.Settings`."""

from __future__ import annotations

from dataclasses import fields

from core.settings import Settings
from docs.pages.markdown import code, page, table


def render() -> str:
    rows = [
        (
            code(f"POSTILION_{item.name.upper()}"),
            code(str(item.default)) if item.default else "–",
            item.metadata["text"],
        )
        for item in fields(Settings)
    ]
    return page(
        "Settings",
        "`core/settings.py`",
        "What differs from machine to machine: where things are, and which ports they take. Each is an environment "
        "variable; what a marketer decides stands in the [project folder](yaml.md). Amazon's client reads its own "
        "variables and files for credentials (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE` and so on).",
        table(["variable", "default", "meaning"], rows),
    )
