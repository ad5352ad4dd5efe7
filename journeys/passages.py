"""Everybody who passed through a journey, with the arm of its holdout: what a report compares."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, false, func, select

from journeys.steps.holdout import HELD_OUT
from journeys.tables import assignment, enrolment


def select_passages(journey: str) -> Select[Any]:
    """profile_id, entered_at and is_holdout of each enrolment; people whose arm a merge blurred are left out."""
    arm = and_(assignment.c.test == f"{journey}/holdout", assignment.c.profile_id == enrolment.c.profile_id)
    return (
        select(
            enrolment.c.profile_id,
            enrolment.c.entered_at,
            func.coalesce(assignment.c.arm == HELD_OUT, false()).label("is_holdout"),
        )
        .select_from(enrolment.outerjoin(assignment, arm))
        .where(enrolment.c.journey == journey, func.coalesce(assignment.c.is_contaminated, false()).is_(false()))
    )
