"""Who could not be asked about, and why: recorded and told once, so that nobody is left out in silence."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from core.bulk import among
from core.database import upsert
from segments.tables import segment_fault

log = logging.getLogger("postilion.segments")

EVERYBODY = 0
_MAX_CAUSE = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """`profile_id` is EVERYBODY where the segment itself cannot be asked."""

    segment: str
    profile_id: int
    cause: str


def record_faults(connection: Connection, faults: Sequence[Fault], now: datetime) -> None:
    known = {(row.segment, row.profile_id) for row in connection.execute(select(segment_fault))}
    for fault in faults:
        if (fault.segment, fault.profile_id) not in known:
            about = "nobody" if fault.profile_id == EVERYBODY else f"profile {fault.profile_id}"
            log.error("segment %s could not be asked about %s: %s", fault.segment, about, fault.cause)
    rows = [
        {"segment": one.segment, "profile_id": one.profile_id, "cause": one.cause[:_MAX_CAUSE], "found_at": now}
        for one in faults
    ]
    upsert(connection, segment_fault, rows, key=["segment", "profile_id"], update=["cause", "found_at"])


def clear_faults(connection: Connection, segments: Collection[str], profile_ids: Collection[int]) -> None:
    """These people were asked about in these segments without a fault."""
    row = segment_fault.c
    if connection.execute(select(row.segment).limit(1)).first() is None:
        return
    asked = among(connection, row.profile_id, sorted({EVERYBODY, *profile_ids}))
    connection.execute(delete(segment_fault).where(row.segment.in_(sorted(segments)), asked))


def list_faults(connection: Connection) -> list[Fault]:
    row = segment_fault.c
    query = select(row.segment, row.profile_id, row.cause).order_by(row.segment, row.profile_id)
    return [Fault(*found) for found in connection.execute(query)]
