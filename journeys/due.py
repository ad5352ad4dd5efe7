"""Timers that have run out, earliest first.

Those of a restricted person stay until the restriction is lifted, those of a merged one until the survivor has taken
them over.
"""

from __future__ import annotations

from sqlalchemy import Connection, Row, and_, delete, or_, select

from customers.tables import ProfileStatus, profile
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments
from journeys.tables import enrolment, timer
from journeys.transition import Due, TimerKind

BATCH = 500
_WAITING = (ProfileStatus.RESTRICTED.value, ProfileStatus.MERGED.value)


def has_due(connection: Connection, scene: Scene) -> bool:
    return bool(_due(connection, scene, 1))


def fire_due(connection: Connection, scene: Scene, limit: int = BATCH) -> tuple[int, Moved]:
    """Let the next due timers act, each enrolment's earliest; answers how many there were."""
    first: dict[str, Row[tuple[str, str]]] = {}
    for row in _due(connection, scene, limit):
        first.setdefault(row.enrolment_id, row)
    waiting = load_enrolments(connection, scene.vault, first, wait=False)
    readable = scene.catalogue.journeys
    mine = [
        row
        for owner, row in first.items()
        if owner in waiting and (waiting[owner].journey, waiting[owner].version) in readable
    ]
    if not mine:
        return 0, Moved()
    # A timer that fires is gone; whoever goes on waiting sets it again.
    fired = or_(*(and_(timer.c.enrolment_id == row.enrolment_id, timer.c.kind == row.kind) for row in mine))
    connection.execute(delete(timer).where(fired))
    moves = [(waiting[row.enrolment_id], Due(TimerKind(row.kind))) for row in mine]
    return len(mine), advance_all(connection, scene, moves)


def _due(connection: Connection, scene: Scene, limit: int) -> list[Row[tuple[str, str]]]:
    query = (
        select(timer.c.enrolment_id, timer.c.kind)
        .join(enrolment, enrolment.c.id == timer.c.enrolment_id)
        .join(profile, profile.c.id == enrolment.c.profile_id)
        .where(timer.c.due_at <= scene.now, profile.c.status.not_in(_WAITING))
        .order_by(timer.c.due_at, timer.c.enrolment_id)
        .limit(limit)
    )
    paused = sorted(scene.catalogue.paused)
    return list(connection.execute(query.where(enrolment.c.journey.not_in(paused)) if paused else query))
