"""Which arm of each test somebody has after two profiles became one.

The arm of the run that goes on is kept, without a run that of the surviving profile. Where the two had different arms
the person has seen both, which is noted (`is_contaminated`) and left out of every comparison.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Row, select

from core.database import batches, upsert
from customers.tables import ProfileStatus, profile
from journeys.tables import EnrolmentStatus, assignment, enrolment

_BATCH = 500


def keep_arms(connection: Connection, concerned: Collection[int]) -> None:
    """Give the survivors among `concerned` the arms that they keep. Safe to repeat; runs must have moved before."""
    family = _families(connection, concerned)
    if not family:
        return
    held: dict[tuple[int, str, str], dict[int, Row[tuple[object, ...]]]] = defaultdict(dict)
    for some in batches(sorted({*family, *family.values()}), _BATCH):
        for row in connection.execute(select(assignment).where(assignment.c.profile_id.in_(some))):
            held[family.get(row.profile_id, row.profile_id), row.seed, row.test][row.profile_id] = row
    owners = _owners_of_runs(connection, sorted(set(family.values())))
    rows = []
    for (survivor, seed, test), of in held.items():
        wanted = [*owners.get((survivor, test.partition("/")[0]), ()), survivor, *sorted(of)]
        kept = next(of[number] for number in wanted if number in of)
        is_contaminated = any(row.arm != kept.arm or row.is_contaminated for row in of.values())
        rows.append({"seed": seed, "test": test, "profile_id": survivor, "arm": kept.arm, "version": kept.version,
                     "is_contaminated": is_contaminated})  # fmt: skip
    upsert(connection, assignment, rows, key=["seed", "test", "profile_id"], update=["arm", "is_contaminated"])


def _families(connection: Connection, concerned: Collection[int]) -> dict[int, int]:
    """Of each merged profile among these, and of those merged into it before, who they are now."""
    into: dict[int, int] = {}
    waiting, known = set(concerned), set[int]()
    while waiting:
        known |= waiting
        found: set[int] = set()
        for some in batches(sorted(waiting), _BATCH):
            near = profile.c.id.in_(some) | profile.c.merged_into.in_(some)
            query = select(profile.c.id, profile.c.merged_into)
            for number, survivor in connection.execute(
                query.where(near, profile.c.status == ProfileStatus.MERGED.value, profile.c.merged_into.is_not(None))
            ):
                into[number] = survivor
                found |= {number, survivor}
        waiting = found - known
    return {number: _end_of(number, into) for number in into}


def _end_of(number: int, into: Mapping[int, int]) -> int:
    seen = {number}
    while number in into and into[number] not in seen:
        number = into[number]
        seen.add(number)
    return number


def _owners_of_runs(connection: Connection, survivors: Sequence[int]) -> dict[tuple[int, str], list[int]]:
    """By survivor and journey, whose the runs under way were at first, the earliest entered first."""
    owners: dict[tuple[int, str], list[int]] = defaultdict(list)
    for some in batches(survivors, _BATCH):
        query = (
            select(enrolment.c.profile_id, enrolment.c.journey, enrolment.c.origin_profile_id)
            .where(enrolment.c.profile_id.in_(some), enrolment.c.status != EnrolmentStatus.ENDED.value)
            .order_by(enrolment.c.entered_at, enrolment.c.uid)
        )
        for row in connection.execute(query):
            owners[row.profile_id, row.journey].append(row.origin_profile_id or row.profile_id)
    return owners
