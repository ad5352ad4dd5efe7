"""Memberships compared with a full rebuild: nothing may differ but what a tick has not had time for.

Under one consistent view, at one instant. Whoever waits behind a cursor, or has had an event enter or leave a window
since the last tick, is not a difference yet. What is found stands in a table and as an alarm until an audit finds
nothing; putting it right is left to whoever has looked at it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Select, delete, exists, insert, select

from core.clock import from_micros, to_micros
from core.cursors import Position, get_position, save_position
from core.database import batches
from core.errors import ConflictError
from core.runtime import Runtime
from core.vault import Vault
from customers.touches import touch
from delivery.alarms import clear_alarm, raise_alarm
from segments.compiling.compiler import compile_rule
from segments.following.plan import Built, Plan, find_built, load_plan, timing_of_all
from segments.following.sweep import sweep
from segments.mark import Mark, committed_since, find_mark
from segments.tables import membership, segment_audit, segment_refresh

log = logging.getLogger("postilion.segments")

ALARM = "segments:audit"
_LAST = "segments.audit"
_MOST_WAITING = 1_000_000
_EVERYTHING = 10**9
_BATCH = 5_000


class DifferenceKind(StrEnum):
    MISSING = "missing"  # the rule holds, and there is no membership
    EXTRA = "extra"  # there is a membership, and the rule does not hold


@dataclass(frozen=True, slots=True)
class Difference:
    segment: str
    profile_id: int
    kind: DifferenceKind


def audit_segments(runtime: Runtime, now: datetime | None = None) -> list[Difference]:
    """Compare every built segment with its rule at `now`, keep what differs, and raise or clear the alarm.

    For an edge: it opens its own transactions. Raises ConflictError while nobody follows, or too many people wait.
    """
    instant = now or runtime.clock.now()
    with runtime.database.read() as connection:
        found = find_differences(connection, instant, vault=runtime.vault)
    with runtime.database.transaction() as connection:
        _keep(connection, found, instant)
    return found


def find_differences(connection: Connection, now: datetime, *, vault: Vault | None = None) -> list[Difference]:
    """What differs, in the order of segments and people; on a connection that has not asked anything yet."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ")
    plan = load_plan(connection)
    built = find_built(connection, plan, now)
    mark = find_mark(connection)
    if mark is None:
        raise ConflictError("no tick has followed the customers yet: start `postilion up`, and audit afterwards.")
    waiting = _waiting(connection, plan, built, mark, now)
    asked_at = _asked_at(connection)
    found = []
    for slug in sorted(built.followed):
        differing = _compare(connection, plan, slug, now, vault)
        if differing and plan.timings[slug].rhythm is not None:  # right as of when everybody was asked
            differing &= _compare(connection, plan, slug, asked_at[slug], vault)
        found += [one for one in differing if one.profile_id not in waiting]
    return sorted(found, key=lambda one: (one.segment, one.profile_id))


def repair_differences(connection: Connection, found: Sequence[Difference]) -> None:
    """Let the next tick ask again about everybody concerned."""
    touch(connection, {one.profile_id for one in found})


def list_differences(connection: Connection) -> list[Difference]:
    """What the last audit found."""
    row = segment_audit.c
    query = select(row.segment, row.profile_id, row.kind).order_by(row.segment, row.profile_id)
    return [Difference(slug, number, DifferenceKind(kind)) for slug, number, kind in connection.execute(query)]


def last_audit(connection: Connection) -> datetime | None:
    micros = get_position(connection, _LAST).row_id
    return from_micros(micros) if micros else None


def _waiting(connection: Connection, plan: Plan, built: Built, mark: Mark, now: datetime) -> set[int]:
    touched = committed_since(connection, mark.positions, _MOST_WAITING, reads_moves=plan.reads_moves)
    if touched is None:
        raise ConflictError(f"more than {_MOST_WAITING:,} changes wait to be followed: audit when they are.")
    low, high = min(mark.followed_to, now), max(mark.asked_at, now)
    timing = timing_of_all(plan, built.followed)
    return touched | sweep(connection, timing, low, high, read=mark.positions.events, limit=_EVERYTHING).ids


def _asked_at(connection: Connection) -> dict[str, datetime]:
    row = segment_refresh.c
    return dict(connection.execute(select(row.segment, row.refreshed_at)).tuples().all())


def _compare(connection: Connection, plan: Plan, slug: str, now: datetime, vault: Vault | None) -> set[Difference]:
    query = compile_rule(plan.rules[slug], now=now, workspace=plan.workspace, segments=plan.rules, vault=vault)
    right = query.order_by(None).subquery("right_members")
    member = membership.c
    is_member = exists().where(member.segment == slug, member.profile_id == right.c.id)
    missing = select(right.c.id).where(~is_member)
    extra = select(member.profile_id).where(
        member.segment == slug, ~exists().where(right.c.id == member.profile_id).correlate(membership)
    )
    return _differences(connection, slug, missing, DifferenceKind.MISSING) | _differences(
        connection, slug, extra, DifferenceKind.EXTRA
    )


def _differences(connection: Connection, slug: str, query: Select[tuple[int]], kind: DifferenceKind) -> set[Difference]:
    return {Difference(slug, number, kind) for number in connection.scalars(query)}


def _keep(connection: Connection, found: Sequence[Difference], now: datetime) -> None:
    connection.execute(delete(segment_audit))
    for some in batches(found, _BATCH):
        rows = [
            {"segment": one.segment, "profile_id": one.profile_id, "kind": one.kind.value, "found_at": now}
            for one in some
        ]
        connection.execute(insert(segment_audit), rows)
    save_position(connection, _LAST, Position(0, to_micros(now)))
    if not found:
        clear_alarm(connection, ALARM)
        return
    slugs = sorted({one.segment for one in found})
    cause = f"{len(found):,} memberships differ from their rules, in {', '.join(slugs)}: see `postilion segments audit`"
    log.error("%s", cause)
    raise_alarm(connection, ALARM, cause, now)
