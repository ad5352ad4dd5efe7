"""Those whose condition did not hold when their event came, while it is asked again: kept, found and let go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, select

from core.cursors import save_position
from core.database import batches, upsert
from customers.tables import profile
from journeys.admission import Candidate, Settle
from journeys.entries.touched import begin_now, has_touched, read_touched
from journeys.tables import entry_settling

CURSOR = "journeys:settling"
_BATCH = 500


def keep_settling(connection: Connection, waiting: Sequence[tuple[Candidate, Settle]], now: datetime) -> None:
    """Remember that each was asked at `now`."""
    rows = [
        {
            "enrolment_uid": candidate.enrolment_uid,
            "journey": candidate.journey.slug,
            "profile_id": candidate.profile_id,
            "event_id": candidate.event_id,
            "asked_at": now,
            "until": decision.until,
        }
        for candidate, decision in waiting
    ]
    if rows and not _is_anybody_waiting(connection):
        begin_now(connection, CURSOR)  # nobody has read the touches meanwhile
    upsert(connection, entry_settling, rows, key=["enrolment_uid"], update=["asked_at", "profile_id"])


def let_go(connection: Connection, enrolment_uids: Collection[str]) -> None:
    for some in batches(sorted(enrolment_uids), _BATCH):
        connection.execute(delete(entry_settling).where(entry_settling.c.enrolment_uid.in_(some)))


def has_settling(connection: Connection, now: datetime) -> bool:
    """Whether somebody is to be asked again, or has waited long enough."""
    if not _is_anybody_waiting(connection):
        return False
    is_over = connection.execute(select(exists().where(entry_settling.c.until <= now))).scalar()
    return bool(is_over) or has_touched(connection, CURSOR)


def find_changed(connection: Connection, now: datetime) -> list[Row[Any]]:
    """Those who changed, and whoever did so while the engine stood still until they had waited long enough."""
    settling, updated_at = entry_settling.c, profile.c.updated_at
    touched = read_touched(connection, CURSOR)
    save_position(connection, CURSOR, touched.behind)
    in_time = select(entry_settling).where(touched.include(settling.profile_id), settling.until > now)
    late = (
        select(entry_settling)
        .join(profile, profile.c.id == settling.profile_id)
        .where(settling.until <= now, updated_at > settling.asked_at, updated_at < settling.until)
    )
    found = {row.enrolment_uid: row for query in (in_time, late) for row in connection.execute(query)}
    return [found[enrolment_uid] for enrolment_uid in sorted(found)]


def find_over(connection: Connection, now: datetime) -> list[Row[Any]]:
    """Those who have waited long enough."""
    query = select(entry_settling).where(entry_settling.c.until <= now).order_by(entry_settling.c.enrolment_uid)
    return list(connection.execute(query))


def _is_anybody_waiting(connection: Connection) -> bool:
    return bool(connection.execute(select(exists().where(entry_settling.c.enrolment_uid.is_not(None)))).scalar())
