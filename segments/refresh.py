"""Membership brought up to date: one query a segment, and the log learns exactly who entered and who left.

Everything moves inside the database, so that half a million members cost seconds and no memory. A segment's first build
marks its events `initial: true`: those people were there before anybody looked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    MetaData,
    Select,
    String,
    Table,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from core.bulk import insert_fresh
from core.clock import to_micros
from core.columns import Document, Id, Instant
from core.database import insert_ignore
from core.definitions import list_definitions
from core.errors import NotFoundError
from core.runtime import Runtime
from core.suggest import did_you_mean
from core.vault import Vault
from customers.tables import customer_event, event_key
from customers.workspace import Workspace, get_workspace
from segments.compiling.compiler import compile_rule
from segments.definition import KIND, Segment, load_segments, rules_of
from segments.language.asked import asked_of
from segments.language.nesting import in_order
from segments.mark import begin_refresh
from segments.membership_writes import ENTERED, LEFT, SOURCE
from segments.population import Found
from segments.ranks.ranking import rank_everybody, refresh_missing_ranks
from segments.refresh_found import find_where_it_pays, members_now
from segments.tables import membership, segment_fault, segment_refresh

_NEVER = 0  # the version that stands in the row before the first refresh

# Lives as long as one refresh: the query is asked once, and then compared with what was known.
_found = Table(
    "segment_refresh_found",
    MetaData(),
    Column("profile_id", Id, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What one refresh of one segment did."""

    segment: str
    member_count: int
    entered: int
    left: int
    seconds: float


def refresh_all(
    runtime: Runtime, only: Iterable[str] | None = None, now: datetime | None = None
) -> list[RefreshResult]:
    """What a command or a flow calls: `refresh_segments`, but with a transaction for each segment."""
    instant = now or runtime.clock.now()
    rank_everybody(runtime, instant, missing_only=True)
    with runtime.database.read() as connection:
        workspace, segments = get_workspace(connection), load_segments(connection)
    chosen = _chosen(segments, only)
    found = find_where_it_pays(runtime, chosen, instant)
    results = []
    for segment in chosen:
        with runtime.database.transaction() as connection:
            result = refresh_segment(
                connection, segment, segments, workspace, instant, vault=runtime.vault, found=found
            )
            results.append(result)
    with runtime.database.transaction() as connection:
        _forget_withdrawn(connection)
    return results


def refresh_segments(
    connection: Connection,
    workspace: Workspace,
    now: datetime,
    only: Iterable[str] | None = None,
    *,
    vault: Vault | None = None,
) -> list[RefreshResult]:
    """Refresh the published segments (or those called `only`), each after those that it contains.

    Segments that are no longer published lose their members. `vault` is needed for conditions on sealed attributes.
    Raises NotFoundError for a name in `only` that is not published, ConflictError for segments in a circle.
    """
    segments = load_segments(connection)
    refresh_missing_ranks(connection, workspace, now)
    results = [
        refresh_segment(connection, segment, segments, workspace, now, vault=vault)
        for segment in _chosen(segments, only)
    ]
    _forget_withdrawn(connection)
    return results


def refresh_segment(
    connection: Connection,
    segment: Segment,
    segments: Mapping[str, Segment],
    workspace: Workspace,
    now: datetime,
    *,
    vault: Vault | None = None,
    found: Found | None = None,
) -> RefreshResult:
    """Bring the membership of `segment` to what its rule says at `now`, and log who moved.

    `found` is what the snapshot said of everybody at that instant.
    """
    started = time.perf_counter()
    now = begin_refresh(connection, now)
    is_first = _lock(connection, segment.slug, now)
    rules = rules_of(segments)
    asked = asked_of(segment.rule, rules, workspace)
    members = None
    if found is not None:
        is_followed = asked == _asked_before(connection, segment.slug)
        members = members_now(connection, found, segment, rules, workspace, now, vault=vault, is_followed=is_followed)
    _found.create(connection)
    if members is None:
        query = compile_rule(segment.rule, now=now, workspace=workspace, segments=rules, vault=vault)
        connection.execute(insert(_found).from_select(["profile_id"], query))
    else:
        insert_fresh(connection, _found, ("profile_id",), [(number,) for number in members])
    _log(connection, ENTERED, _new(segment.slug), segment.slug, now, is_first=is_first)
    _log(connection, LEFT, _gone(segment.slug), segment.slug, now, is_first=False)
    entered = connection.execute(_admit(segment.slug, now)).rowcount
    left = connection.execute(_dismiss(segment.slug)).rowcount
    member_count = connection.scalar(select(func.count()).select_from(_found)) or 0
    _found.drop(connection)
    result = RefreshResult(segment.slug, member_count, entered, left, time.perf_counter() - started)
    _record(connection, result, segment.version, asked, now)
    connection.execute(delete(segment_fault).where(segment_fault.c.segment == segment.slug))
    return result


def _chosen(segments: Mapping[str, Segment], only: Iterable[str] | None) -> list[Segment]:
    ordered = in_order(rules_of(segments))
    wanted = set(segments if only is None else only)
    for slug in sorted(wanted - set(segments)):
        hint = did_you_mean(slug, segments) or "run `postilion apply` after you have written its file"
        raise NotFoundError(f"no segment '{slug}' is published: {hint}")
    return [segments[slug] for slug in ordered if slug in wanted]


def _lock(connection: Connection, slug: str, now: datetime) -> bool:
    """Make a second refresh of the same segment wait for this one; answers whether this is the first ever."""
    row = {"segment": slug, "version": _NEVER, "refreshed_at": now, "seconds": 0.0}
    insert_ignore(
        connection, segment_refresh, [row | dict.fromkeys(("member_count", "entered_count", "left_count"), 0)]
    )
    query = select(segment_refresh.c.version).where(segment_refresh.c.segment == slug).with_for_update()
    version: int = connection.execute(query).scalar_one()
    return version == _NEVER


def _asked_before(connection: Connection, slug: str) -> str | None:
    return connection.scalar(select(segment_refresh.c.asked).where(segment_refresh.c.segment == slug))


def _new(slug: str) -> Select[tuple[int]]:
    member = membership.c
    known = exists().where(member.segment == slug, member.profile_id == _found.c.profile_id)
    return select(_found.c.profile_id).where(~known)


def _gone(slug: str) -> Select[tuple[int]]:
    still = exists().where(_found.c.profile_id == membership.c.profile_id)
    return select(membership.c.profile_id).where(membership.c.segment == slug, ~still)


def _admit(slug: str, now: datetime) -> Insert:
    new = _new(slug).subquery()
    rows = select(literal(slug), new.c.profile_id, literal(now, Instant()))
    statement = insert(membership).from_select(["segment", "profile_id", "entered_at"], rows)
    return statement.execution_options(preserve_rowcount=True)


def _dismiss(slug: str) -> Delete:
    return delete(membership).where(membership.c.segment == slug, membership.c.profile_id.in_(_gone(slug)))


def _log(
    connection: Connection, name: str, movers: Select[tuple[int]], slug: str, now: datetime, *, is_first: bool
) -> None:
    """Append one event for each mover; its key is (segment, profile, instant), so that a repetition adds nothing."""
    mover = movers.subquery()
    key = literal(f"{name}:{slug}:") + cast(mover.c.profile_id, String()) + literal(f":{to_micros(now)}")
    unknown = ~exists().where(event_key.c.key == key)
    properties = {"segment": slug, "initial": True} if is_first else {"segment": slug}
    columns: dict[str, ColumnElement[Any]] = {
        "profile_id": mover.c.profile_id,
        "name": literal(name),
        "occurred_at": literal(now, Instant()),
        "received_at": literal(now, Instant()),
        "source": literal(SOURCE),
        "is_historical": literal(False),
        "properties": literal(properties, Document()),
    }
    rows = select(*columns.values()).where(unknown).order_by(mover.c.profile_id)
    connection.execute(insert(customer_event).from_select(list(columns), rows))
    keys = select(key, literal(now, Instant())).where(unknown)
    connection.execute(insert(event_key).from_select(["key", "received_at"], keys))


def _record(connection: Connection, result: RefreshResult, version: int, asked: str, now: datetime) -> None:
    connection.execute(
        update(segment_refresh)
        .where(segment_refresh.c.segment == result.segment)
        .values(
            version=version,
            asked=asked,
            refreshed_at=now,
            member_count=result.member_count,
            entered_count=result.entered,
            left_count=result.left,
            seconds=result.seconds,
        )
    )


def _forget_withdrawn(connection: Connection) -> None:
    """What is no longer published has no members, and is built for the first time when it comes back."""
    in_force = [published.slug for published in list_definitions(connection, KIND)]
    for table in (membership, segment_refresh, segment_fault):
        connection.execute(delete(table).where(table.c.segment.not_in(in_force)))
