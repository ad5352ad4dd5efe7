"""A published version as a chart, with the people who stand in it now."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from journeys.drawing.chart import Chart, chart_of
from journeys.explain import head_counts
from journeys.tables import EnrolmentStatus, enrolment
from journeys.wording.versions import get_version


def read_chart(connection: Connection, journey: str, version: int | None = None) -> Chart:
    """The version asked for, else the one in force; people of all versions are counted at the steps of their names.

    Raises NotFoundError when it was not published.
    """
    held_out = connection.execute(
        select(func.count()).where(enrolment.c.journey == journey, enrolment.c.status == EnrolmentStatus.HOLDOUT.value)
    ).scalar_one()
    return chart_of(get_version(connection, journey, version), head_counts(connection, journey), held_out=held_out)
