"""What journeys do when a restriction is lifted: they look again at who stood still, with all that came meanwhile.

While a person is restricted the engine moves nobody, timers are passed over and nothing is heard.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, or_, select, text

from core.errors import NotFoundError
from core.runtime import Runtime
from customers.log import LoggedEvent, logged_event
from customers.tables import customer_event
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene, as_event
from journeys.catalogue import get_catalogue
from journeys.enrolments import load_enrolments
from journeys.tables import EnrolmentStatus, enrolment
from journeys.tick import LOCK
from journeys.transition import Nudged


def look_again(
    connection: Connection, runtime: Runtime, profile_ids: Collection[int], since: datetime, now: datetime
) -> Moved:
    """Wake every run of these profiles with what became known `since`; overdue timers act with the next tick."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    try:
        scene = Scene(runtime.vault, get_catalogue(connection), now)
    except NotFoundError:  # nothing was applied yet
        return Moved()
    missed = [as_event(runtime.vault, event) for event in _missed(connection, scene, profile_ids, since)]
    # A goal counts after the end of a run as well.
    unsettled = or_(enrolment.c.status != EnrolmentStatus.ENDED.value, enrolment.c.goal_at.is_(None))
    ids = connection.scalars(select(enrolment.c.id).where(enrolment.c.profile_id.in_(profile_ids), unsettled)).all()
    inside = load_enrolments(connection, runtime.vault, ids)
    paused = scene.catalogue.paused
    nudges = [(one, Nudged(tuple(missed), one.journey in paused)) for one in inside.values()]
    return advance_all(connection, scene, nudges)


def _missed(connection: Connection, scene: Scene, profile_ids: Collection[int], since: datetime) -> list[LoggedEvent]:
    event, names = customer_event.c, scene.catalogue.event_names()
    query = select(customer_event).where(event.profile_id.in_(profile_ids), event.received_at >= since)
    if names is not None:
        query = query.where(event.name.in_(sorted(names)))
    return [logged_event(row) for row in connection.execute(query.order_by(event.occurred_at, event.id))]
