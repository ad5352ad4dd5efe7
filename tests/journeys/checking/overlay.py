"""A sound shop with some files laid over it, written as one text: each begins with a remark `# file: <path>`.

`# in force: <path>` begins a file as it was published before; `# bytes: <path> <count>` lays a file of that size that
nobody would read. Where there is a database, `# people: <event> <count>` lets that many in between the two, and
`# gone: <path>` takes a file away that was published.
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
_HEAD = re.compile(r"^# (file|in force|bytes|people|gone): (\S+)(?: (\d+))?\n", re.MULTILINE)


@dataclass(slots=True)
class Overlay:
    """`files` are laid over the shop, by their path; `in_force` are published versions of journeys, by name."""

    files: dict[str, bytes] = field(default_factory=dict)
    in_force: dict[str, Journey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a text: `subject` is a path, or the event of `people`; `count` is 0 where none stands there."""

    kind: str
    subject: str
    count: int
    content: str


def read_pieces(text: str) -> list[Piece]:
    """The parts of `text`. Lines count from the one below the remark."""
    _, *parts = _HEAD.split(text)
    return [
        Piece(kind, subject, int(count or 0), content)
        for kind, subject, count, content in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
    ]


def read_overlay(text: str) -> Overlay:
    """What `text` lays over the shop, and what it says to be in force."""
    overlay = Overlay()
    for piece in read_pieces(text):
        match piece.kind:
            case "file":
                overlay.files[piece.subject] = piece.content.encode()
            case "bytes":
                overlay.files[piece.subject] = bytes(piece.count)
            case "in force":
                located, _ = load_yaml(piece.content.encode(), piece.subject)
                assert located is not None
                journey, _ = parse_journey(located, piece.subject)
                assert journey is not None
                overlay.in_force[journey.slug] = journey
    return overlay


def faults_of(text: str, folder: Path) -> list[Fault]:
    """What is wrong in the shop with `text` laid over it; `folder` is empty, and the shop is built there."""
    overlay = read_overlay(text)
    shutil.copytree(SHOP, folder, dirs_exist_ok=True)
    for path, content in overlay.files.items():
        lay(folder / path, content)
    return list(check_project(load_project(folder), overlay.in_force).faults)


def lay(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
