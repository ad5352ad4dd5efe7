"""Who may read a file, as its mode says."""

from __future__ import annotations

from pathlib import Path

_OTHERS = 0o077
_OTHERS_WRITE = 0o022


def is_private(path: Path) -> bool:
    """Only its owner may do anything with it."""
    return not path.stat().st_mode & _OTHERS


def is_written_by_others(path: Path) -> bool:
    return bool(path.stat().st_mode & _OTHERS_WRITE)


def mode_of(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:04o}"
