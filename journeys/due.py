"""Timers that have run out, earliest first.

Those of a restricted person stay until the restriction is lifted, those of a merged one until the survivor has taken
them over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from core.bulk import among
from customers.tables import ProfileStatus, profile
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments
from journeys.tables import enrolment, timer
from journeys.transition import Due, TimerKind

BATCH = 2_000
_WAITING = (ProfileStatus.RESTRICTED.value, ProfileStatus.MERGED.value)


def has_due(connection: Connection, scene: Scene) -> bool:
    return bool(_due(connection, scene, 1))


def fire_due(connection: Connection, scene: Scene, limit: int = BATCH) -> tuple[int, Moved]:
    """Let the next due timers act, each enrolment's earliest; answers how many there were."""
    first: dict[int, Row[tuple[int, str]]] = {}
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
    moved = advance_all(connection, scene, [(waiting[row.enrolment_id], Due(TimerKind(row.kind))) for row in mine])
    _drop_fired(connection, mine, scene.now)
    return len(mine), moved


def _drop_fired(connection: Connection, fired: Sequence[Row[Any]], now: datetime) -> None:
    """A timer that has fired is gone; whoever goes on waiting has set it to a later instant."""
    owners: dict[str, list[int]] = defaultdict(list)
    for row in fired:
        owners[row.kind].append(row.enrolment_id)
    for kind, ids in owners.items():
        those = (timer.c.kind == kind, timer.c.due_at <= now, among(connection, timer.c.enrolment_id, ids))
        connection.execute(delete(timer).where(*those))


def _due(connection: Connection, scene: Scene, limit: int) -> list[Row[tuple[int, str]]]:
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
