"""What the arms of a bandit have earned: successes and failures of its draws, counted in one query.

A success is a reward in `[drawn_at, ends_at)`; a failure is a window that ended without one. Draws that ended three
days before anybody may know of them are settled: counted in a row an arm, and deleted.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Integer, and_, cast, delete, func, literal, not_, select, update

from core.columns import Instant
from core.database import batches, insert_ignore
from customers.tables import customer_event
from journeys.conditions import BY_PEOPLE, HAPPENINGS
from journeys.questions import Earned, Reward
from journeys.tables import bandit_draw, bandit_tally
from segments.compiling.dialects import text_in, truth_in
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Member

SETTLES_AFTER = timedelta(days=3)  # rewards that become known later than this count for nothing
_SETTLED_AT_ONCE = 2_000
_BATCH = 500

Tallies = dict[str, tuple[int, int]]  # (successes, failures) by arm


def count_earned(connection: Connection, wanted: Earned, zone: ZoneInfo) -> Tallies:
    """What each arm that was ever drawn has earned, as known before `wanted.known_until`."""
    won: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    tally = bandit_tally.c
    settled = select(tally.arm, tally.success_count, tally.failure_count).where(
        tally.test == wanted.test, tally.reward == wanted.reward.digest
    )
    for query in (settled, _unsettled(wanted, zone)):
        for arm, successes, failures in connection.execute(query):
            won[arm] += int(successes)
            lost[arm] += int(failures)
    return {arm: (won[arm], lost[arm]) for arm in sorted({*won, *lost})}


def settle(connection: Connection, wanted: Earned, zone: ZoneInfo) -> int:
    """Count draws that ended before `wanted.known_until` for good, some thousands at most; answers how many."""
    draw = bandit_draw.c
    over = (
        select(draw.id, draw.arm, _is_success(wanted, zone).label("won"))
        .where(draw.test == wanted.test, draw.reward == wanted.reward.digest)
        .where(draw.ends_at < literal(wanted.known_until, Instant()))
        .order_by(draw.ends_at)
        .limit(_SETTLED_AT_ONCE)
        .with_for_update(of=bandit_draw, skip_locked=True)
    )
    outcomes: dict[str, tuple[str, bool]] = {row.id: (row.arm, bool(row.won)) for row in connection.execute(over)}
    counts: Counter[tuple[str, bool]] = Counter()
    for some in batches(list(outcomes), _BATCH):
        gone = connection.scalars(delete(bandit_draw).where(draw.id.in_(some)).returning(draw.id))
        counts.update(outcomes[number] for number in gone)
    key: dict[str, Any] = {"test": wanted.test, "reward": wanted.reward.digest}
    for arm in sorted({arm for arm, _ in counts}):
        insert_ignore(connection, bandit_tally, [{**key, "arm": arm, "success_count": 0, "failure_count": 0}])
        tally = bandit_tally.c
        connection.execute(
            update(bandit_tally)
            .where(tally.test == wanted.test, tally.reward == wanted.reward.digest, tally.arm == arm)
            .values(
                success_count=tally.success_count + counts[arm, True],
                failure_count=tally.failure_count + counts[arm, False],
            )
        )
    return sum(counts.values())


def _unsettled(wanted: Earned, zone: ZoneInfo) -> Any:
    draw, known_until = bandit_draw.c, literal(wanted.known_until, Instant())
    known = (
        select(draw.arm, _is_success(wanted, zone).label("won"), (draw.ends_at < known_until).label("is_over"))
        .where(draw.test == wanted.test, draw.reward == wanted.reward.digest, draw.drawn_at < known_until)
        .subquery()
    )
    successes = func.sum(cast(known.c.won, Integer))
    failures = func.sum(cast(and_(not_(known.c.won), known.c.is_over), Integer))
    return select(known.c.arm, successes, failures).group_by(known.c.arm)


def _is_success(wanted: Earned, zone: ZoneInfo) -> ColumnElement[bool]:
    event, draw = customer_event.c, bandit_draw.c
    return (
        select(event.id)
        .where(
            event.profile_id == draw.profile_id,
            event.occurred_at >= draw.drawn_at,
            event.occurred_at < draw.ends_at,
            event.occurred_at < literal(wanted.known_until, Instant()),
            *_is_reward(wanted.reward, Moment(wanted.known_until, zone)),
        )
        .correlate(bandit_draw)
        .exists()
    )


def _is_reward(reward: Reward, moment: Moment) -> list[ColumnElement[bool]]:
    event = customer_event.c
    tests = [matches(Member(event.properties, test.name), test.matcher, moment) for test in reward.where]
    if reward.step is None:
        return [event.name == reward.event, *tests]
    about = [
        event.name == HAPPENINGS[reward.was],
        text_in(event.properties, "origin_id") == bandit_draw.c.enrolment_uid,
        text_in(event.properties, "step") == reward.step,
    ]
    return [*about, *([truth_in(event.properties, "is_human")] if reward.was in BY_PEOPLE else []), *tests]
