"""Keeping all memberships right: a tick, and before it whatever has to be asked about everybody.

Called each second by the heartbeat. A segment that is new or changed is built first, one whose conditions turn by the
clock is asked again at its rhythm, and after a long pause or a big import everybody is asked at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from core.runtime import Runtime
from segments.following.faults import EVERYBODY, Fault, record_faults
from segments.following.plan import Plan, find_built, load_plan
from segments.following.tick import LIMIT, FollowResult, follow_touched
from segments.mark import Mark, find_mark, latest_positions, lock_mark, save_mark
from segments.membership_writes import Moved
from segments.refresh import RefreshResult, refresh_all
from segments.tables import segment_fault

log = logging.getLogger("postilion.segments")

_RESTS = timedelta(minutes=1)  # a segment that could not be asked


def follow(
    runtime: Runtime,
    now: datetime | None = None,
    *,
    limit: int = LIMIT,
    at_least: Mapping[str, timedelta] | None = None,
) -> FollowResult:
    """Bring every membership to `now`, or a good piece nearer (`behind` tells that there is more to do at once).

    `at_least` says how often everybody is asked about a segment whose conditions turn by the clock, where its own
    rhythm is slower.

    For an edge: it opens its own transactions. Safe to be killed, and to run twice at once.
    """
    instant = now or runtime.clock.now()
    with runtime.database.read() as connection:
        plan = load_plan(connection)
        built = find_built(connection, plan, instant, at_least or {})
        fault = segment_fault.c
        resting = set(
            connection.scalars(
                select(fault.segment).where(fault.profile_id == EVERYBODY, fault.found_at > instant - _RESTS)
            )
        )
        is_first = find_mark(connection) is None
    if is_first:
        moved = _start_anew(runtime, plan, resting, instant)
    else:
        moved = _ask_everybody(runtime, sorted((built.unbuilt | built.due) - resting), instant)
    _tell_unfit(runtime, plan, resting, instant)
    with runtime.database.transaction() as connection:
        result = follow_touched(connection, runtime, plan, instant, limit=limit)
    if result.needs_everybody:
        moved += _start_anew(runtime, plan, resting, instant)
    return replace(result, entered=result.entered + moved.entered, left=result.left + moved.left)


def _start_anew(runtime: Runtime, plan: Plan, resting: set[str], now: datetime) -> Moved:
    """Ask everybody about everything that was built, and follow from where that began."""
    with runtime.database.transaction() as connection:
        positions = latest_positions(connection)
    moved = _ask_everybody(runtime, sorted(plan.timings.keys() - resting), now)
    with runtime.database.transaction() as connection:
        lock_mark(connection)
        save_mark(connection, Mark(positions, now, now), now)
    return moved


def _ask_everybody(runtime: Runtime, slugs: Sequence[str], now: datetime) -> Moved:
    """All in one pass; where that fails, one after the other, so that only the one that cannot be asked rests."""
    if not slugs:
        return Moved()
    try:
        return _sum(refresh_all(runtime, only=slugs, now=now))
    except Exception:  # which one it was is found below, and recorded
        log.warning("segments are refreshed one by one", exc_info=True)
    moved = Moved()
    for slug in slugs:
        moved += _ask_about(runtime, slug, now)
    return moved


def _ask_about(runtime: Runtime, slug: str, now: datetime) -> Moved:
    try:
        return _sum(refresh_all(runtime, only=[slug], now=now))
    except Exception as error:  # one segment must not stop the others; it is asked again in a minute
        log.exception("segment %s could not be refreshed", slug)
        with runtime.database.transaction() as connection:
            record_faults(connection, [Fault(slug, EVERYBODY, f"{type(error).__name__}: {error}")], now)
        return Moved()


def _sum(results: Iterable[RefreshResult]) -> Moved:
    return sum((Moved(one.entered, one.left) for one in results), Moved())


def _tell_unfit(runtime: Runtime, plan: Plan, resting: set[str], now: datetime) -> None:
    faults = [Fault(slug, EVERYBODY, cause) for slug, cause in plan.unfit.items() if slug not in resting]
    if faults:
        with runtime.database.transaction() as connection:
            record_faults(connection, faults, now)
