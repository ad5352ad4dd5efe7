"""Ending all runs of people who are gone, at once and without asking their journeys.

The engine would end each with the next tick; an erasure must be complete when it says that it is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from journeys.tables import EnrolmentStatus, enrolment, journal
from journeys.transition import EndReason, JournalKind


def end_runs_of(connection: Connection, profile_ids: Collection[int], reason: EndReason, now: datetime) -> int:
    """End every live run of these profiles; answers how many there were. Timers and waits are left to the caller."""
    live = enrolment.c.profile_id.in_(profile_ids) & (enrolment.c.status != EnrolmentStatus.ENDED.value)
    query = select(enrolment.c.id, enrolment.c.step, enrolment.c.journal_seq).where(live).order_by(enrolment.c.id)
    rows = connection.execute(query.with_for_update()).all()
    if not rows:
        return 0
    entries = [
        {
            "enrolment_id": row.id,
            "seq": row.journal_seq + 1,
            "at": now,
            "kind": JournalKind.ENDED.value,
            "data": {"reason": reason.value} | ({"step": row.step} if row.step else {}),
        }
        for row in rows
    ]
    connection.execute(insert(journal), entries)
    ended = {"status": EnrolmentStatus.ENDED.value, "end_reason": reason.value, "ended_at": now}
    connection.execute(update(enrolment).where(live).values(**ended, journal_seq=enrolment.c.journal_seq + 1))
    return len(rows)
