"""Where people stand now, counted by version and step: what a plan shows before anything changes under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from journeys.tables import EnrolmentStatus, enrolment


@dataclass(frozen=True, slots=True)
class Standing:
    """`count` people of one version stand at `step`, or are held out (`step` None)."""

    version: int
    step: str | None
    count: int
    is_held_out: bool = False


def count_standing(connection: Connection, journey: str) -> list[Standing]:
    """Everybody inside `journey`, by version and step."""
    one = enrolment.c
    query = (
        select(one.version, one.status, one.step, func.count())
        .where(one.journey == journey, one.status.in_([EnrolmentStatus.ACTIVE.value, EnrolmentStatus.HOLDOUT.value]))
        .group_by(one.version, one.status, one.step)
        .order_by(one.version, one.status, one.step)
    )
    return [
        Standing(version, step, count, is_held_out=status == EnrolmentStatus.HOLDOUT)
        for version, status, step, count in connection.execute(query)
    ]


def at_steps(standing: Sequence[Standing], version: int | None = None) -> dict[str, int]:
    """How many stand at each step, of one version or of all; the held out stand nowhere."""
    found: dict[str, int] = {}
    for one in standing:
        if one.step is not None and not one.is_held_out and version in (None, one.version):
            found[one.step] = found.get(one.step, 0) + one.count
    return found


def count_entered(connection: Connection, journey: str, since: datetime) -> dict[int, int]:
    """How many entered each version at `since` or later, whether they are inside still or not."""
    one = enrolment.c
    query = select(one.version, func.count()).where(one.journey == journey, one.entered_at >= since)
    return dict(connection.execute(query.group_by(one.version)).tuples().all())
