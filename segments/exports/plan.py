"""An export that a segment's file asks for by itself: how often, which columns, and into which file. Pure but for
looking where symbolic links lead.

Files lie below one folder (POSTILION_EXPORTS), wherever the words of the file may point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from core.durations import InvalidDurationError, parse_duration
from core.errors import InputError
from customers.workspace import Workspace
from segments.exports.columns import DEFAULT_COLUMNS, ExportFormat, columns_of, known_columns
from segments.language.matcher_parser import Report

_DAY = timedelta(days=1)
_WORDS = ("{date}", "{segment}")
_AT = time(6)


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Every `days` days at `at` on the workspace's clock; weeks begin on Mondays. `to` holds {date} or {segment}."""

    days: int
    at: time
    to: str
    format: ExportFormat
    columns: tuple[str, ...]

    def is_due_on(self, day: date) -> bool:
        return (day.toordinal() - 1) % self.days == 0  # the day 1 of the calendar was a Monday

    def file_of(self, folder: Path, segment: str, day: date) -> Path:
        """Where the export of `day` lies below `folder`. Raises InputError for a path that leads out of it."""
        words = self.to.replace("{segment}", segment).replace("{date}", day.isoformat())
        root = folder.resolve()
        file = (root / words).resolve()
        if not file.is_relative_to(root) or file == root:
            raise InputError(f"the export of '{segment}' leads out of {root}: write a path below it, without '..'.")
        return file


def parse_export(data: Mapping[str, Any]) -> ExportPlan:
    """The `export` of a segment's file that was checked."""
    file_format = ExportFormat(data.get("format", ExportFormat.CSV))
    to = data.get("to", "{segment}/")
    if not to.endswith(f".{file_format}"):
        to = f"{to.rstrip('/')}/{{segment}}-{{date}}.{file_format}"
    return ExportPlan(
        days=max(1, parse_duration(data["every"]).as_elapsed() // _DAY),
        at=time.fromisoformat(data["at"]) if "at" in data else _AT,
        to=to,
        format=file_format,
        columns=tuple(data.get("columns", DEFAULT_COLUMNS)),
    )


def check_export(data: Mapping[str, Any], workspace: Workspace | None, report: Report) -> None:
    """Reports what the schema cannot know: parts of days, paths that lead out, columns that nobody has."""
    path = ("export",)
    try:
        length = parse_duration(data["every"]).as_elapsed()
    except InvalidDurationError:
        length = _DAY  # reported by its own rule
    if length % _DAY or not length:
        report("E103", (*path, "every"), "an export is made once a day at most", "write whole days, such as 1d or 1w")
    plan = parse_export(data)
    parts = Path(plan.to).parts
    if Path(plan.to).is_absolute() or ".." in parts or "\x00" in plan.to or "\\" in plan.to:
        report("E103", (*path, "to"), f"'{plan.to}' leads out of the folder for exports", "write a path below it")
    elif "{date}" not in plan.to:
        report("E103", (*path, "to"), "each export would replace the one before", "write {date} into the name")
    elif any(brace in plan.to.replace("{date}", "").replace("{segment}", "") for brace in "{}"):
        report("E103", (*path, "to"), "only {date} and {segment} are filled in", f"write {' and '.join(_WORDS)}")
    if workspace is None:
        return
    known = known_columns(workspace)
    for number, name in enumerate(data.get("columns", ())):
        if name not in known:
            try:
                columns_of([name], workspace)
            except InputError as error:
                message, _, hint = str(error).rstrip(".").partition(": ")
                report("E120", (*path, "columns", number), message, hint)
