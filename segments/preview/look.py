"""Everything that `postilion segments preview` tells of a segment, gathered in one guarded reading transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from core.runtime import Runtime
from customers.tables import ProfileStatus, profile
from customers.workspace import Workspace
from segments.compiling.compiler import compile_rule
from segments.costs.cost import Cost, estimate, refuse_above
from segments.costs.guard import guarded_read
from segments.definition import Segment, load_segments
from segments.language.rules import Rule
from segments.membership import count_members
from segments.mismatches import Mismatch, count_mismatches
from segments.preview.members import find_ids
from segments.preview.outline import differences
from segments.preview.overlap import Overlap, find_overlaps
from segments.preview.reach import Reach, reach_of
from segments.preview.sample import Person, pick_people
from segments.preview.sql_text import sql_of


@dataclass(frozen=True, slots=True)
class Change:
    """Against the version in force: who would enter and leave since its last refresh, and the lines that differ."""

    version: int
    members: int
    entered: int
    left: int
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """`population` is everybody whom a segment may find; `change` is None for a segment that is not published.

    `seconds` is what the question itself took; `mismatches` are of the conditions in the file, not of nested segments.
    """

    segment: str
    name: str
    count: int
    population: int
    reach: tuple[Reach, ...]
    sample: tuple[Person, ...]
    change: Change | None
    overlaps: tuple[Overlap, ...]
    mismatches: tuple[Mismatch, ...]
    cost: Cost
    seconds: float
    sql: str

    def as_document(self) -> dict[str, Any]:
        reach = [asdict(one) | {"reached": one.reached} for one in self.reach]
        return asdict(self) | {"reach": reach}


def look_at(
    runtime: Runtime,
    workspace: Workspace,
    segment: Segment,
    rules: Mapping[str, Rule],
    now: datetime,
    *,
    sample_size: int = 20,
    timeout: timedelta | None = None,
    is_forced: bool = False,
) -> Preview:
    """What `segment`, which may nest `rules`, would select at `now`.

    Raises InputError when the estimate is above POSTILION_SEGMENT_ROWS, unless forced, and when it takes too long.
    """
    query = compile_rule(segment.rule, now=now, workspace=workspace, segments=rules, vault=runtime.vault)
    with guarded_read(runtime, timeout) as connection:
        cost = estimate(connection, query, segment.rule, rules, now)
        if not is_forced:
            refuse_above(cost, runtime.settings.segment_rows_number, segment.slug)
        started = time.perf_counter()
        ids = find_ids(connection, query)
        seconds = time.perf_counter() - started
        overlaps = find_overlaps(connection, ids)
        takes_synthetic = runtime.settings.reaches_nobody
        reach = reach_of(connection, ids, workspace, now, takes_synthetic=takes_synthetic)
        return Preview(
            segment=segment.slug,
            name=segment.name,
            count=len(ids),
            population=_population(connection),
            reach=tuple(reach),
            sample=tuple(pick_people(connection, runtime.vault, ids, sample_size)),
            change=_change(connection, segment, ids, overlaps),
            overlaps=tuple(one for one in overlaps if one.segment != segment.slug and one.shared),
            mismatches=tuple(count_mismatches(connection, segment.rule, workspace, now)),
            cost=cost,
            seconds=seconds,
            sql=sql_of(connection, query),
        )


def _population(connection: Connection) -> int:
    person = profile.c
    may_be_found = person.status == ProfileStatus.ACTIVE.value, person.objected_at.is_(None)
    return connection.scalar(select(func.count()).select_from(profile).where(*may_be_found)) or 0


def _change(connection: Connection, segment: Segment, ids: Sequence[int], overlaps: Sequence[Overlap]) -> Change | None:
    published = load_segments(connection).get(segment.slug)
    if published is None:
        return None
    members = count_members(connection, segment.slug)
    stayed = next((one.shared for one in overlaps if one.segment == segment.slug), 0)
    lines = differences(published.rule, segment.rule)
    return Change(published.version, members, len(ids) - stayed, members - stayed, tuple(lines))
