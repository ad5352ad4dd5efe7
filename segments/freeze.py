"""A segment's members at an instant as a static list, which stays as it is while the segment moves on.

Events, and everything else that has a date, count as they stood then: those before the instant, in windows that end at
it. Attributes, addresses, consents, lists and merges are as they are now, because their past is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.database import batches
from core.errors import ConflictError, InputError
from core.runtime import Runtime
from customers.list_catalogue import FrozenFrom, count_on_list, drop_list, note_origin
from customers.lists import add_to_list
from customers.workspace import Workspace
from segments.compiling.compiler import compile_rule
from segments.costs.cost import estimate, refuse_above
from segments.costs.guard import guarded_read
from segments.definition import Segment, rules_of
from segments.preview.members import find_ids

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Freezing:
    """What freezing did: `members` stand on `list` now."""

    list: str
    segment: str
    version: int
    as_of: datetime
    members: int


def freeze(
    runtime: Runtime,
    workspace: Workspace,
    segment: Segment,
    segments: Mapping[str, Segment],
    name: str,
    as_of: datetime,
    *,
    replaces: bool = False,
    is_forced: bool = False,
) -> Freezing:
    """Put everybody on the list `name` for whom the rule of `segment` holds at `as_of`.

    Raises ConflictError when somebody is on that list already and it shall not be replaced, InputError for an instant
    to come and for a segment that costs too much.
    """
    now = runtime.clock.now()
    if as_of > now:
        raise InputError(f"{as_of:%Y-%m-%d %H:%M} UTC is still to come: freeze what has been.")
    ids = _find(runtime, workspace, segment, segments, as_of, is_forced=is_forced)
    with runtime.database.transaction() as connection:
        known = count_on_list(connection, name)
        if known and not replaces:
            raise ConflictError(f"{known:,} people are on the list '{name}' already: take another name, or --replace.")
        drop_list(connection, name)
        for some in batches(ids, _BATCH):
            add_to_list(connection, name, some, now)
        note_origin(connection, name, FrozenFrom(segment.slug, segment.version, as_of, now))
    return Freezing(name, segment.slug, segment.version, as_of, len(ids))


def _find(
    runtime: Runtime,
    workspace: Workspace,
    segment: Segment,
    segments: Mapping[str, Segment],
    as_of: datetime,
    *,
    is_forced: bool,
) -> Sequence[int]:
    rules = rules_of(segments)
    query = compile_rule(segment.rule, now=as_of, workspace=workspace, segments=rules, vault=runtime.vault)
    with guarded_read(runtime) as connection:
        if not is_forced:
            cost = estimate(connection, query, segment.rule, rules, as_of)
            refuse_above(cost, runtime.settings.segment_rows_number, segment.slug)
        return find_ids(connection, query)
