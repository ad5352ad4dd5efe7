"""Of which days there are still records in the log: the keys of these days must not be destroyed yet."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from core.vault import Vault
from tracking.ingestion.frames import HEADER
from tracking.ingestion.slots import oldest_segments

_BEGINNING = HEADER.size + 64


def find_oldest_day(root: Path) -> date | None:
    """The day (UTC) of the oldest record below `root` on this machine, None when everything is loaded."""
    days = []
    for segment in oldest_segments(root):
        try:
            with segment.open("rb") as file:
                payload = file.read(_BEGINNING)[HEADER.size :]
            days.append(Vault.day_of(payload))
        except (OSError, ValueError):  # it was loaded and deleted meanwhile, or nothing is in it yet
            continue
    return min(days, default=None)
