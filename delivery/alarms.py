"""What somebody should look at although nothing stands still: told in the log once when it begins, and kept until over.

The doctor and the run page of the heartbeat show what stands.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from core.database import insert_ignore
from delivery.tables import alarm

log = logging.getLogger(__name__)

_MAX_CAUSE = 300


@dataclass(frozen=True, slots=True)
class Alarm:
    """`name` says what it is about, such as `silence:email` or `feedback:campaign:summer`."""

    name: str
    cause: str
    since: datetime


def raise_alarm(connection: Connection, name: str, cause: str, now: datetime) -> bool:
    """Let the alarm stand; answers whether it is new, and then the log has been told."""
    row = {"name": name, "cause": cause[:_MAX_CAUSE], "since": now}
    is_new = bool(insert_ignore(connection, alarm, [row], returning=["name"]))
    if is_new:
        log.warning("%s: %s", name, cause)
    return is_new


def clear_alarm(connection: Connection, name: str) -> bool:
    """Let it be over; answers whether it stood."""
    was_there = connection.execute(delete(alarm).where(alarm.c.name == name)).rowcount == 1
    if was_there:
        log.info("%s is over", name)
    return was_there


def list_alarms(connection: Connection) -> list[Alarm]:
    rows = connection.execute(select(alarm).order_by(alarm.c.since, alarm.c.name))
    return [Alarm(row.name, row.cause, row.since) for row in rows]
