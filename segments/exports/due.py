"""Exports that are due: written once for each day, below the folder of exports, for their owner's eyes alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from core.errors import NotFoundError
from core.runtime import Runtime
from customers.workspace import get_workspace
from segments.costs.guard import guarded_read
from segments.definition import Segment, load_segments
from segments.exports.columns import columns_of
from segments.exports.members import export_members


@dataclass(frozen=True, slots=True)
class Exported:
    """`rows` is None when nothing had to be written: it is not the day, or the file of the day is there."""

    segment: str
    file: str
    rows: int | None


def export_due(runtime: Runtime, slug: str, now: datetime) -> Exported:
    """Write today's export of one segment, by the workspace's clock, unless it is there.

    Raises NotFoundError for a segment that is not published or asks for no export.
    """
    with runtime.database.read() as connection:
        workspace, segments = get_workspace(connection), load_segments(connection)
    segment = segments.get(slug)
    if segment is None or segment.export is None:
        raise NotFoundError(f"no published segment '{slug}' has an `export`: see `postilion segments list`.")
    today = now.astimezone(ZoneInfo(workspace.timezone)).date()
    file = segment.export.file_of(runtime.settings.exports_folder, slug, today)
    if not segment.export.is_due_on(today) or file.exists():
        return Exported(slug, str(file), None)
    _make_folder(runtime.settings.exports_folder, file.parent)
    columns = columns_of(segment.export.columns, workspace)
    with guarded_read(runtime) as connection:
        count = export_members(connection, runtime.vault, slug, file, columns, segment.export.format)
    return Exported(slug, str(file), count)


def is_overdue(segment: Segment, folder: Path, now: datetime, zone: ZoneInfo) -> bool:
    """Whether today's export should have been written by `now` and is not there."""
    if segment.export is None:
        return False
    local = now.astimezone(zone)
    is_time = segment.export.is_due_on(local.date()) and local.time() >= segment.export.at
    return is_time and not segment.export.file_of(folder, segment.slug, local.date()).exists()


def _make_folder(root: Path, folder: Path) -> None:
    """Folders that are made are their owner's alone."""
    for part in [*reversed(folder.parents), folder]:
        if part.is_relative_to(root.resolve()) or part == root.resolve():
            part.mkdir(mode=0o700, exist_ok=True, parents=True)
