"""Writes the reference pages anew from the code: `python -m docs.generate`.

They are committed, so that they can be read without running anything; a test compares them with what is made now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.pages import commands, events, fault_codes, openapi, reasons, settings, steps, tables, yaml_files

FOLDER = Path(__file__).parent / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "api.html": openapi.render,
    "commands.md": commands.render,
    "events.md": events.render,
    "fault-codes.md": fault_codes.render,
    "reasons.md": reasons.render,
    "settings.md": settings.render,
    "steps.md": steps.render,
    "tables.md": tables.render,
    "yaml.md": yaml_files.render,
}


def main() -> None:
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
