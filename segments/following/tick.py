"""One tick: whoever was touched or swept is asked about again, and who enters or leaves a segment does so at once.

All of it is one transaction, so that a tick happened or did not. What asks for everybody (segments that are new or
changed, conditions that turn by the clock, more people than are worth following) is the business of `keeper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core.runtime import Runtime
from segments.following.evaluate import Questions, readers
from segments.following.faults import clear_faults, record_faults
from segments.following.plan import Built, Plan, find_built, timing_of_all
from segments.following.sweep import sweep
from segments.following.touched import oldest_waiting, read_touched
from segments.mark import Mark, lock_mark, save_mark
from segments.membership_writes import Moved, move_members

LIMIT = 2_500  # rows of each kind, so that a tick is short and others may write
_NOTED_EVERY = timedelta(seconds=10)  # where nothing happened


@dataclass(frozen=True, slots=True)
class FollowResult:
    """What a tick did.

    `touched` people were known to have changed, `evaluated` with those whom time alone changed. `lag_s` is how old the
    oldest answer is that has not been asked again; `behind` tells that more people wait. `needs_everybody`: the tick
    did nothing, because asking everybody costs less.
    """

    touched: int = 0
    evaluated: int = 0
    entered: int = 0
    left: int = 0
    lag_s: float = 0.0
    behind: bool = False
    needs_everybody: bool = False


def follow_touched(
    connection: Connection, runtime: Runtime, plan: Plan, now: datetime, *, limit: int = LIMIT
) -> FollowResult:
    """Bring the memberships of people who changed to `now`, as far as `limit` goes; see `plan`."""
    mark = lock_mark(connection)
    if mark is None:
        return FollowResult(needs_everybody=True, behind=True)
    built = find_built(connection, plan, now)
    touched = read_touched(connection, mark.positions, limit, reads_moves=plan.reads_moves)
    if touched.too_many:
        return FollowResult(needs_everybody=True, behind=True)
    low, high = min(mark.followed_to, now), max(mark.asked_at, now)
    timing = timing_of_all(plan, built.followed)
    swept = sweep(connection, timing, low, high, read=mark.positions.events, limit=limit)
    is_forward = high == now
    if not is_forward and swept.reached < high:
        return FollowResult(needs_everybody=True, behind=True)  # the clock was set back by far
    people = sorted(touched.ids | swept.ids)
    moved = _ask(connection, runtime, plan, built, people, now)
    reached = swept.reached if is_forward else now
    after = Mark(touched.positions, reached, now)
    is_news = bool(people) or after.positions != mark.positions or reached < now or not is_forward
    if is_news or now - mark.followed_to >= _NOTED_EVERY:
        save_mark(connection, after, now)
    came = oldest_waiting(connection, touched.positions) if touched.has_more else None
    instants = [reached] if came is None else [reached, came]
    return FollowResult(
        touched=len(touched.ids),
        evaluated=len(people),
        entered=moved.entered,
        left=moved.left,
        lag_s=max(0.0, (now - min(instants)).total_seconds()),
        behind=touched.has_more or reached < now,
    )


def _ask(
    connection: Connection, runtime: Runtime, plan: Plan, built: Built, people: Sequence[int], now: datetime
) -> Moved:
    if not people or not built.followed:
        return Moved()
    slugs = sorted(built.followed)
    with readers(connection, runtime.database, len(people)) as connections:
        questions = Questions(
            connections, slugs, now=now, workspace=plan.workspace, segments=plan.rules, vault=runtime.vault
        )
        answers = questions.ask(people)
    moved = move_members(connection, answers.moves, now)
    clear_faults(connection, slugs, people)
    if answers.faults:
        record_faults(connection, answers.faults, now)
    return moved
