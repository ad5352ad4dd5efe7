"""A sound shop with some files laid over it, written as one text: each begins with a remark `# file: <path>`.

`# in force: <path>` begins a journey as it was published before.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from console.check import check_project
from console.project import load_project
from core.errors import Fault
from core.located import load_yaml
from journeys.definition import parse_journey
from journeys.model import Journey

SHOP = Path(__file__).parent / "shop"
_HEAD = re.compile(r"^# (file|in force): (\S+)\n", re.MULTILINE)


@dataclass(slots=True)
class Overlay:
    """`files` are laid over the shop, by their path; `in_force` are published versions of journeys, by name."""

    files: dict[str, str] = field(default_factory=dict)
    in_force: dict[str, Journey] = field(default_factory=dict)


def read_overlay(text: str) -> Overlay:
    """The parts of `text`. Lines count from the one below the remark."""
    overlay = Overlay()
    _, *parts = _HEAD.split(text)
    for kind, path, content in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if kind == "file":
            overlay.files[path] = content
        else:
            located, _ = load_yaml(content.encode(), path)
            assert located is not None
            journey, _ = parse_journey(located, path)
            assert journey is not None
            overlay.in_force[journey.slug] = journey
    return overlay


def faults_of(text: str, folder: Path) -> list[Fault]:
    """What is wrong in the shop with `text` laid over it; `folder` is empty, and the shop is built there."""
    overlay = read_overlay(text)
    shutil.copytree(SHOP, folder, dirs_exist_ok=True)
    for path, content in overlay.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    return list(check_project(load_project(folder), overlay.in_force).faults)
