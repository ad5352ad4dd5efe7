"""How a rule's people lie to those of the segments that are in force: shared members, and who would come or go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from core.database import batches
from segments.preview.members import people
from segments.tables import membership

_BATCH = 50_000


@dataclass(frozen=True, slots=True)
class Overlap:
    """`shared` people are in both; `share` is their part of the smaller one, 0 to 1."""

    segment: str
    members: int
    shared: int
    share: float


def find_overlaps(connection: Connection, ids: Sequence[int]) -> list[Overlap]:
    """Every segment that has members by its last refresh, the one with the largest share first."""
    member = membership.c
    sizes = connection.execute(select(member.segment, func.count()).group_by(member.segment)).tuples().all()
    shared: Counter[str] = Counter()
    for some in batches(ids, _BATCH):
        found = people(connection, some)
        query = select(member.segment, func.count()).join(found, found.c.id == member.profile_id)
        shared.update(dict(connection.execute(query.group_by(member.segment)).tuples().all()))
    overlaps = [
        Overlap(segment, size, shared[segment], shared[segment] / min(size, len(ids)) if ids else 0.0)
        for segment, size in sizes
    ]
    return sorted(overlaps, key=lambda one: (-one.share, -one.shared, one.segment))
