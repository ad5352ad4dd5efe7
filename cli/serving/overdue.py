"""What our own records say should have run by now: the machine slept, the power failed, a clock was changed.

Prefect's schedules only say when to look. Whether a launch is still worth making hours later is for the campaign's
`misfire` rule, which `campaigns/due.py` applies.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from campaigns.due import find_due
from cli.serving.deployments import EXPORT, HEARTBEAT, INSIGHTS, RANKS, RETENTION, RULES, SEGMENTS, Deployment
from cli.serving.schedules import Interval
from console.retention import last_run
from customers.tables import customer_order
from customers.workspace import get_workspace
from insights.tables import model_card
from journeys.heartbeat import is_beating
from recommender.tables import rule_set
from segments.definition import load_segments
from segments.exports.due import is_overdue
from segments.ranks.ranking import missing_ranks
from segments.tables import segment_rank_run, segment_refresh

GRACE = timedelta(minutes=2)  # the regular run may take this long to begin
_DAY = timedelta(days=1)


def find_overdue(connection: Connection, plan: Iterable[Deployment], now: datetime, exports: Path) -> list[str]:
    """The names of the deployments whose work is overdue at `now`; `exports` is the folder of scheduled exports."""
    return [one.name for one in plan if _is_overdue(connection, one, now, exports)]


def _is_overdue(connection: Connection, deployment: Deployment, now: datetime, exports: Path) -> bool:
    if deployment.name == HEARTBEAT:
        return not is_beating(connection, now)
    if deployment.name == RULES:
        return _rules_are_old(connection, now)
    if deployment.name == INSIGHTS:
        return _insights_are_old(connection, now)
    if deployment.name == RANKS:
        return _ranks_are_old(connection, now)
    if deployment.name.startswith(EXPORT):
        return _export_is_missing(connection, deployment.parameters["segment"], now, exports)
    if deployment.name == RETENTION:
        last = last_run(connection)
        return last is None or last <= now - _DAY - GRACE
    if deployment.name.startswith(SEGMENTS) and isinstance(deployment.timing, Interval):
        return _memberships_are_old(connection, deployment.parameters["only"], deployment.timing.every, now)
    if "campaign" in deployment.parameters:
        due = find_due(connection, deployment.parameters["campaign"], now - GRACE)
        return bool(due)
    return False


def _memberships_are_old(connection: Connection, segments: list[str], every: timedelta, now: datetime) -> bool:
    """Also of a segment that was never refreshed, or not since its file changed."""
    fresh = select(func.count()).where(
        segment_refresh.c.segment.in_(segments), segment_refresh.c.refreshed_at > now - every - GRACE
    )
    return (connection.scalar(fresh) or 0) < len(segments)


def _export_is_missing(connection: Connection, slug: str, now: datetime, exports: Path) -> bool:
    zone = ZoneInfo(get_workspace(connection).timezone)
    segment = load_segments(connection).get(slug)
    return segment is not None and is_overdue(segment, exports, now - GRACE, zone)


def _ranks_are_old(connection: Connection, now: datetime) -> bool:
    """Also when nobody was ever ranked by something that a published file asks for."""
    oldest = connection.scalar(select(func.min(segment_rank_run.c.computed_at)))
    return oldest is None or oldest <= now - _DAY - GRACE or bool(missing_ranks(connection))


def _rules_are_old(connection: Connection, now: datetime) -> bool:
    return _is_old(connection, connection.scalar(select(func.max(rule_set.c.mined_at))), now)


def _insights_are_old(connection: Connection, now: datetime) -> bool:
    return _is_old(connection, connection.scalar(select(func.max(model_card.c.made_at))), now)


def _is_old(connection: Connection, made_at: datetime | None, now: datetime) -> bool:
    """Of what is learned from orders: nothing is missing while there are none."""
    if made_at is not None and made_at > now - _DAY - GRACE:
        return False
    return connection.execute(select(customer_order.c.id).limit(1)).first() is not None
