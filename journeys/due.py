"""Timers that have run out, earliest first.

Those of a restricted person stay until the restriction is lifted, those of a merged one until the survivor has taken
them over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, delete, select

from core.bulk import among
from customers.tables import ProfileStatus, profile
from journeys.advancing import Moved, advance_all
from journeys.alike import Waiting, move_alike
from journeys.answers import Scene
from journeys.enrolments import load_free
from journeys.tables import enrolment, timer
from journeys.transition import Due, Enrolment, TimerKind, Wake

BATCH = 2_000
_WAITING = (ProfileStatus.RESTRICTED.value, ProfileStatus.MERGED.value)


def has_due(connection: Connection, scene: Scene) -> bool:
    return bool(_due(connection, scene, 1))


def fire_due(connection: Connection, scene: Scene, limit: int = BATCH) -> tuple[int, Moved]:
    """Let the next due timers act, each enrolment's earliest; answers how many there were."""
    first: dict[int, str] = {}
    for number, kind in _due(connection, scene, limit):
        first.setdefault(number, kind)
    if not first:
        return 0, Moved()
    mine = [
        Waiting(stored, person, first[stored.id])
        for stored, person in load_free(connection, scene.vault, first)
        if stored.version in scene.catalogue.journeys
    ]
    moved, alone = move_alike(connection, scene, mine)
    place = {number: place for place, number in enumerate(first)}
    alone.sort(key=lambda one: place[one.stored.id])
    moves: list[tuple[Enrolment, Wake]] = [(one.stored.read(), Due(TimerKind(one.timer))) for one in alone]
    moved += advance_all(connection, scene, moves, {one.person.id: one.person for one in alone})
    _drop_fired(connection, mine, scene.now)
    return len(mine), moved


def _drop_fired(connection: Connection, fired: Sequence[Waiting], now: datetime) -> None:
    """A timer that has fired is gone; whoever goes on waiting has set it to a later instant."""
    owners: dict[str, list[int]] = defaultdict(list)
    for one in fired:
        owners[one.timer].append(one.stored.id)
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
