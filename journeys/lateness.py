"""How late the engine is: timers that have run out and did not act, and events that were not looked at yet.

What stands still for a reason (a pause, a person whose data is restricted) is not late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from core.cursors import behind, get_position
from core.errors import NotFoundError
from customers.tables import ProfileStatus, customer_event, profile
from delivery.pauses import EVERYTHING, find_pauses
from journeys.catalogue import get_catalogue
from journeys.ingest import CURSOR
from journeys.tables import enrolment, timer

PATIENCE = timedelta(minutes=1)  # what is due for less than that is not late yet
_STANDING = (ProfileStatus.RESTRICTED.value, ProfileStatus.MERGED.value)


@dataclass(frozen=True, slots=True)
class Lateness:
    """`timers` counts those that are late, by journey and version; `timer_at` is when the first of them was due, and
    `event_at` when the first event became known that nobody has looked at; None where nothing waits.
    """

    timers: Mapping[tuple[str, int], int] = field(default_factory=dict)
    timer_at: datetime | None = None
    event_at: datetime | None = None

    def lag(self, now: datetime) -> timedelta:
        """How far the engine is behind."""
        return max((now - at for at in (self.timer_at, self.event_at) if at is not None), default=timedelta())


def read_lateness(connection: Connection, now: datetime) -> Lateness:
    """What should have happened before `now`; nothing while everything is paused, or before the first `apply`."""
    try:
        catalogue = get_catalogue(connection)
    except NotFoundError:
        return Lateness()
    if not catalogue.journeys or EVERYTHING in find_pauses(connection, now):
        return Lateness()
    query = (
        select(enrolment.c.journey, enrolment.c.version, func.count(), func.min(timer.c.due_at))
        .join(enrolment, enrolment.c.id == timer.c.enrolment_id)
        .join(profile, profile.c.id == enrolment.c.profile_id)
        .where(
            timer.c.due_at <= now - PATIENCE,
            profile.c.status.not_in(_STANDING),
            enrolment.c.journey.not_in(sorted(catalogue.paused)),
        )
        .group_by(enrolment.c.journey, enrolment.c.version)
    )
    rows = connection.execute(query).all()
    unread = select(customer_event.c.received_at).where(
        behind(connection, customer_event, get_position(connection, CURSOR))
    )
    event_at = connection.scalar(unread.order_by(customer_event.c.transaction_no, customer_event.c.id).limit(1))
    return Lateness(
        {(journey, version): count for journey, version, count, _since in rows},
        min((since for *_rest, since in rows), default=None),
        event_at if event_at is not None and event_at <= now - PATIENCE else None,
    )
