"""Profiles that changed: an erasure ends a run, an attribute may let somebody out, a new zone moves a local clock.

A change of a profile is no event, so it is found by its instant. What a transaction committed late is found again at
the next step of the person it is about.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, exists, func, or_, select

from core.clock import from_micros, to_micros
from core.cursors import Position, get_position, save_position
from customers.tables import ProfileStatus, profile
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments
from journeys.holds import judge_anew
from journeys.steps.contract import ANY_EVENT, PROFILE_CHANGE
from journeys.tables import EnrolmentStatus, enrolment, event_wait
from journeys.transition import Nudged

CURSOR = "journeys:profiles"
_OVERLAP = timedelta(seconds=10)
_BATCH = 500


def has_changes(connection: Connection) -> bool:
    newest: datetime | None = connection.execute(select(func.max(profile.c.updated_at))).scalar()
    return newest is not None and newest >= _seen_until(connection)


def look_at_changes(connection: Connection, scene: Scene) -> Moved:
    """Look again at everybody inside whose profile changed since the last time."""
    since = _seen_until(connection)
    ids = list(connection.scalars(_concerned(scene, since)))
    total = Moved()
    paused = scene.catalogue.paused
    for start in range(0, len(ids), _BATCH):
        inside = load_enrolments(connection, scene.vault, ids[start : start + _BATCH])
        total += advance_all(
            connection, scene, [(one, Nudged(is_paused=one.journey in paused)) for one in inside.values()]
        )
    changed = select(profile.c.id).where(profile.c.updated_at >= since - _OVERLAP)
    judge_anew(connection, connection.scalars(changed).all(), scene.now)
    newest: datetime | None = connection.execute(select(func.max(profile.c.updated_at))).scalar()
    if newest is not None:
        save_position(connection, CURSOR, Position(0, to_micros(newest) + 1))
    return total


def _concerned(scene: Scene, since: datetime) -> Select[tuple[int]]:
    slugs = sorted({slug for (slug, _), interest in scene.catalogue.interests.items() if interest.any_exit})
    waits = exists().where(
        event_wait.c.enrolment_id == enrolment.c.id, event_wait.c.event_name.in_([ANY_EVENT, PROFILE_CHANGE])
    )
    return (
        select(enrolment.c.id)
        .join(profile, profile.c.id == enrolment.c.profile_id)
        .where(
            profile.c.updated_at >= since - _OVERLAP,
            enrolment.c.status != EnrolmentStatus.ENDED.value,
            or_(profile.c.status != ProfileStatus.ACTIVE.value, enrolment.c.journey.in_(slugs), waits),
        )
        .order_by(enrolment.c.id)
    )


def _seen_until(connection: Connection) -> datetime:
    return from_micros(get_position(connection, CURSOR).row_id)
