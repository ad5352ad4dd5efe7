"""Who is in a segment: as its last refresh found it, or of a few people at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, func, select

from core.database import batches
from core.vault import Vault
from customers.workspace import Workspace
from segments.compiling.compiler import Reach, compile_rule
from segments.definition import load_segments, rules_of
from segments.language.rules import Rule, SegmentRule, iter_leaves
from segments.membership_writes import Moves, move_members
from segments.tables import membership, segment_refresh

_BATCH = 5_000


def member_query(segment: str) -> Select[tuple[int]]:
    """The ids of the members at the last refresh, in order, to be used inside other queries."""
    return select(membership.c.profile_id).where(membership.c.segment == segment).order_by(membership.c.profile_id)


def members(connection: Connection, segment: str) -> list[int]:
    """The ids of the members at the last refresh, in order."""
    return list(connection.scalars(member_query(segment)))


def count_members(connection: Connection, segment: str) -> int:
    query = select(func.count()).select_from(membership).where(membership.c.segment == segment)
    return connection.scalar(query) or 0


def is_member(connection: Connection, segment: str, profile_id: int) -> bool:
    """Whether the last refresh found `profile_id` in `segment`."""
    query = select(membership.c.profile_id).where(
        membership.c.segment == segment, membership.c.profile_id == profile_id
    )
    return connection.scalar(query) is not None


def matching(
    connection: Connection,
    rule: Rule,
    profile_ids: Sequence[int],
    now: datetime,
    workspace: Workspace,
    *,
    segments: Mapping[str, Rule] | None = None,
    vault: Vault | None = None,
    reach: Reach = Reach.MARKETING,
) -> set[int]:
    """Those of `profile_ids` for whom `rule` holds at `now`, asked of the data and not of the last refresh.

    `segments` are the rules that it may nest, the published ones where left out; `vault` is needed for conditions on
    sealed attributes; `reach` says whom it may find at all. Raises what `compile_rule` raises.
    """
    if segments is None:
        nests = any(isinstance(leaf, SegmentRule) for leaf in iter_leaves(rule))
        segments = rules_of(load_segments(connection)) if nests else {}
    found: set[int] = set()
    for batch in batches(list(dict.fromkeys(profile_ids)), _BATCH):
        query = compile_rule(
            rule, now=now, workspace=workspace, segments=segments, batch=batch, vault=vault, reach=reach
        )
        found.update(connection.scalars(query))
    return found


def leave_all(connection: Connection, profile_ids: Sequence[int], now: datetime) -> int:
    """Take these profiles out of every segment now, without waiting for a refresh; answers how many memberships went.

    The log learns of it as of any other leaving. What keeps them out afterwards is the compiler.
    """
    mine = select(membership.c.segment, membership.c.profile_id).where(membership.c.profile_id.in_(profile_ids))
    leaving: dict[str, list[int]] = {}
    for slug, number in connection.execute(mine):
        leaving.setdefault(slug, []).append(number)
    return move_members(connection, {slug: Moves(leaving=ids) for slug, ids in leaving.items()}, now).left


@dataclass(frozen=True, slots=True)
class LastRefresh:
    """How a segment stood after its last refresh."""

    segment: str
    member_count: int
    refreshed_at: datetime


def list_refreshes(connection: Connection) -> list[LastRefresh]:
    """Every segment that was ever refreshed and is still published, by name."""
    table = segment_refresh
    rows = connection.execute(
        select(table.c.segment, table.c.member_count, table.c.refreshed_at).order_by(table.c.segment)
    )
    return [LastRefresh(*row) for row in rows]
