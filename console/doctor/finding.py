"""What a check found: how bad it is, one sentence, and for what is not fine the way out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    FINE = "fine"
    NOTE = "note"  # worth knowing, or not asked
    WARNING = "warning"  # works today
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    text: str
    way_out: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def fine(text: str) -> Finding:
    return Finding(Level.FINE, text)


def note(text: str, way_out: str = "") -> Finding:
    return Finding(Level.NOTE, text, way_out)


def warning(text: str, way_out: str) -> Finding:
    return Finding(Level.WARNING, text, way_out)


def wrong(text: str, way_out: str) -> Finding:
    return Finding(Level.WRONG, text, way_out)
