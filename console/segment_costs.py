"""What the segments of a project would cost, where there is a database to ask: its plan tells, nothing is run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from console.project import Project
from core.database import Database
from core.errors import EnvironmentFaultError, Fault, PostilionError
from core.settings import Settings
from customers.workspace import Workspace, parse_workspace
from segments.compiling.compiler import compile_rule
from segments.costs.cost import estimate
from segments.definition import Segment, parse_segment, rules_of

_PATIENCE_S = "3"


def check_costs(project: Project, settings: Settings, now: datetime) -> list[Fault]:
    """A warning (W208) for each segment above POSTILION_SEGMENT_ROWS; none where no database answers."""
    limit = settings.segment_rows_number
    url = patient_url(settings.database)
    if project.workspace is None or not limit or url is None:
        return []
    workspace = parse_workspace(project.workspace.document)
    try:
        return list(_dear(project, workspace, url, limit, now))
    except (SQLAlchemyError, EnvironmentFaultError):
        return []  # `postilion doctor` says what is wrong with it


def _dear(project: Project, workspace: Workspace, url: str, limit: int, now: datetime) -> Iterable[Fault]:
    found: dict[str, Segment] = {}
    located = {}
    for file in project.of_kind("segment"):
        segment, _faults = parse_segment(file.located, file.file, workspace)
        if segment is not None:
            found[segment.slug], located[segment.slug] = segment, file.located
    rules = rules_of(found)
    with closing(Database(url, pool_size=1)) as database, database.read() as connection:
        for slug, segment in found.items():
            try:
                query = compile_rule(segment.rule, now=now, workspace=workspace, segments=rules)
                cost = estimate(connection, query, segment.rule, rules, now)
            except PostilionError:
                continue  # a circle, an unknown name, a sealed value: reported as such, or found by a blind index
            if cost.rows > limit:
                message = f"the segment would look at {cost.rows:,} rows, and {limit:,} are allowed"
                hint = "ask about a shorter time (`within`) or fewer events"
                yield located[slug].fault("W208", ("who",), message, hint, at_key=True)


def patient_url(url: str) -> str | None:
    """`url` for a short look; None for a file of SQLite that is not there, which looking would make."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return parsed.update_query_dict({"connect_timeout": _PATIENCE_S}).render_as_string(hide_password=False)
    return url if parsed.database and Path(parsed.database).is_file() else None
