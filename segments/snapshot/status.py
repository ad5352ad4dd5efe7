"""How the snapshot stands, for commands and checks: written beside it, since nobody may open it while it is owned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from core.settings import Settings
from segments.snapshot.files import folder_of
from segments.snapshot.owned import Owned, read_meta
from segments.snapshot.shape import shapes
from segments.snapshot.source import Positions
from segments.snapshot.words import first_row, quoted


@dataclass(frozen=True, slots=True)
class SnapshotStatus:
    """`size` is in bytes, of the owner's file; it shows the system of record as of `brought_at`; `rows` by table."""

    size: int
    built_at: datetime
    brought_at: datetime
    positions: Positions
    rows: Mapping[str, int]


def status_of(owned: Owned) -> SnapshotStatus:
    meta = read_meta(owned.opened)
    counts = {
        shape.name: first_row(owned.opened, f"SELECT count(*) FROM {quoted(shape.name)}")[0] for shape in shapes()
    }
    size = owned.folder.working.stat().st_size
    return SnapshotStatus(size, meta.built_at, meta.brought_at, meta.positions, counts)


def save_status(owned: Owned) -> SnapshotStatus:
    """Tell how it stands to those who may not open it."""
    status = status_of(owned)
    owned.folder.tell(msgspec.json.encode(status))
    return status


def find_status(settings: Settings) -> SnapshotStatus | None:
    """As its last owner left it; None where there is none."""
    folder = folder_of(settings)
    if not folder.working.exists():
        return None
    try:
        return msgspec.json.decode(folder.status.read_bytes(), type=SnapshotStatus)
    except (OSError, msgspec.MsgspecError):
        return None
