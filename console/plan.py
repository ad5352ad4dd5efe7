"""What publishing a project would change: its files, the steps of its journeys with the people who stand there, and
whom its segments would select. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from console.check import check_project
from console.checking.data import iter_event_names
from console.checking.pinned import check_pins, newest_versions
from console.project import Project, ProjectFile
from console.publish import Change, find_changes
from console.stranding import find_needed, find_stranded, versions_of
from core.definitions import get_definition, list_definitions
from core.errors import Fault, PostilionError, has_errors
from core.runtime import Runtime
from customers.workspace import Workspace, parse_workspace
from insights.scores import list_score_names
from journeys.catalogue import Catalogue, get_catalogue
from journeys.definition import parse_journey
from journeys.places import Moving, iter_moving
from journeys.standing import Standing, at_steps, count_standing
from journeys.step_changes import StepChange, key_changes, step_changes
from segments.compiling.compiler import compile_rule
from segments.costs.cost import estimate
from segments.costs.guard import guarded_read
from segments.definition import Segment, parse_segment, rules_of
from segments.membership import count_members
from segments.preview.members import find_ids


@dataclass(frozen=True, slots=True)
class JourneyChange:
    """`inside` counts people by version, `at_step` by step, and `moving` says from where to where they go over, where
    that is planned; `version` is the one in force, 0 for a new journey. Without `keys` and `steps` the file is as it
    was, and only people of older versions are to be moved.
    """

    slug: str
    version: int
    keys: tuple[str, ...]
    steps: tuple[StepChange, ...]
    inside: Mapping[int, int]
    at_step: Mapping[str, int]
    moving: tuple[Moving, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """How many are in it as it was refreshed last, and how many the file would select; None where that is too dear."""

    slug: str
    before: int
    after: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`faults` are everything that is wrong; with an error among them nothing would be published."""

    changes: tuple[Change, ...]
    journeys: tuple[JourneyChange, ...]
    segments: tuple[SegmentChange, ...]
    faults: tuple[Fault, ...]

    @property
    def is_refused(self) -> bool:
        return has_errors(self.faults)

    @property
    def changed(self) -> list[Change]:
        return [change for change in self.changes if change.what != "unchanged"]

    def as_dict(self) -> dict[str, Any]:
        return {
            "is_refused": self.is_refused,
            "changes": [change.as_dict() for change in self.changes],
            "journeys": [asdict(one) for one in self.journeys],
            "segments": [asdict(one) for one in self.segments],
            "faults": [fault.as_dict() for fault in self.faults],
        }


def make_plan(runtime: Runtime, project: Project, now: datetime, *, moves: bool = False) -> Plan:
    """What `apply` would do with `project` now, and with `moves` what `apply --migrate` would."""
    with runtime.database.read() as connection:
        catalogue = find_catalogue(connection)
        faults = find_faults(connection, catalogue, project, moves=moves)
        changes = find_changes(connection, project)
        changed = {(one.kind, one.slug): one for one in changes if one.what in ("new", "changed")}
        journeys = [
            _journey_change(connection, catalogue, file, moves=moves)
            for file in project.of_kind("journey")
            if ("journey", file.slug) in changed
        ]
        if moves and catalogue is not None:
            journeys += _left_behind(connection, catalogue, changes)
        journeys += [_withdrawn(connection, one) for one in changes if (one.kind, one.what) == ("journey", "withdrawn")]
    asked = [slug for kind, slug in changed if kind == "segment"]
    segments = () if has_errors(project.faults) else _segment_changes(runtime, project, asked, now)
    return Plan(tuple(changes), tuple(journeys), tuple(segments), tuple(faults))


def find_catalogue(connection: Connection) -> Catalogue | None:
    """What is published; None before the first `apply`."""
    return get_catalogue(connection) if list_definitions(connection, "workspace") else None


def find_faults(
    connection: Connection, catalogue: Catalogue | None, project: Project, *, moves: bool = False
) -> list[Fault]:
    """Everything that speaks against publishing `project`, whom it would strand included; sorted by place."""
    in_force = catalogue.newest if catalogue else {}
    faults = list(
        check_project(
            project, in_force, scores=list_score_names(connection), seen=frozenset(iter_event_names(connection))
        ).faults
    )
    faults += check_pins(project, newest_versions(connection))
    if catalogue is None or has_errors(faults):
        return faults
    gone = [(one.kind, one.slug) for one in find_changes(connection, project) if one.what == "withdrawn"]
    faults += find_needed(connection, catalogue, project, gone, moves=moves)
    if moves:
        faults += find_stranded(connection, catalogue, project)
    return sorted(faults)


def _journey_change(
    connection: Connection, catalogue: Catalogue | None, file: ProjectFile, *, moves: bool
) -> JourneyChange:
    standing = count_standing(connection, file.slug)
    new, _ = parse_journey(file.located, file.file)
    old = catalogue.newest.get(file.slug) if catalogue else None
    if new is None or old is None or catalogue is None:
        return _counted(JourneyChange(file.slug, 0, (), (), {}, {}), standing)
    before = get_definition(connection, "journey", file.slug, old.version).document
    steps = step_changes(old, before, new, file.document)
    keys = key_changes(before, file.document)
    to = replace(new, version=old.version + 1)
    moving = tuple(iter_moving(versions_of(catalogue, file.slug), to, standing)) if moves else ()
    return _counted(JourneyChange(file.slug, old.version, tuple(keys), tuple(steps), {}, {}, moving), standing)


def _left_behind(connection: Connection, catalogue: Catalogue, changes: Sequence[Change]) -> list[JourneyChange]:
    """Journeys whose files are as they were, but of which older versions still have people."""
    found = []
    for change in changes:
        new = catalogue.newest.get(change.slug) if (change.kind, change.what) == ("journey", "unchanged") else None
        if new is not None:
            standing = count_standing(connection, change.slug)
            moving = tuple(iter_moving(versions_of(catalogue, change.slug), new, standing))
            if moving:
                found.append(_counted(JourneyChange(change.slug, new.version, (), (), {}, {}, moving), standing))
    return found


def _withdrawn(connection: Connection, change: Change) -> JourneyChange:
    return _counted(JourneyChange(change.slug, change.version, (), (), {}, {}), count_standing(connection, change.slug))


def _counted(change: JourneyChange, standing: Sequence[Standing]) -> JourneyChange:
    inside: dict[int, int] = {}
    for one in standing:
        inside[one.version] = inside.get(one.version, 0) + one.count
    return replace(change, inside=inside, at_step=at_steps(standing))


def _segment_changes(runtime: Runtime, project: Project, asked: Sequence[str], now: datetime) -> list[SegmentChange]:
    workspace = parse_workspace(project.workspace.document) if project.workspace else None
    found: dict[str, Segment] = {}
    for file in project.of_kind("segment"):
        segment, _faults = parse_segment(file.located, file.file, workspace)
        if segment is not None:
            found[segment.slug] = segment
    if workspace is None:
        return []
    return [_segment_change(runtime, workspace, found, slug, now) for slug in asked if slug in found]


def _segment_change(
    runtime: Runtime, workspace: Workspace, found: Mapping[str, Segment], slug: str, now: datetime
) -> SegmentChange:
    limit, rules = runtime.settings.segment_rows_number, rules_of(found)
    with runtime.database.read() as connection:
        before = count_members(connection, slug)
    try:
        query = compile_rule(found[slug].rule, now=now, workspace=workspace, segments=rules, vault=runtime.vault)
        with guarded_read(runtime) as connection:
            cost = estimate(connection, query, found[slug].rule, rules, now)
            after = None if limit and cost.rows > limit else len(find_ids(connection, query))
    except PostilionError:  # it takes too long, or cannot be asked yet
        after = None
    return SegmentChange(slug, before, after)
