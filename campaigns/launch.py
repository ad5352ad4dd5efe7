"""Launching a campaign: its audience is frozen in resumable batches, each with its messages in one transaction.

A launch is named by campaign and occurrence. Launching the same occurrence again changes nothing; a launch that was
killed goes on behind its last batch, with the version of the campaign it began with, and ends with the same rows.
Sending is delivery's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select, update

from campaigns.audience import Plan, Tally, freeze_batch, plan_launch, select_audience
from campaigns.definition import Campaign, CampaignStatus, get_campaign
from campaigns.readiness import check_ready
from campaigns.schedule import Occurrence
from campaigns.tables import LaunchStatus, launch
from core.database import batches, insert_ignore
from core.errors import ConflictError
from core.ids import derived_id
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.tables import MessageStatus, message

BATCH = 1_000
_OPEN = [MessageStatus.DUE, MessageStatus.CLAIMED, MessageStatus.SENDING]

Progress = Callable[[int, int], None]  # profiles done, of how many


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """What a launch came to. `counts` has "message", "held_out" and the reasons of those who get no message."""

    launch_id: str
    campaign: str
    occurrence: str
    is_new: bool
    counts: Mapping[str, int]

    @property
    def member_count(self) -> int:
        return sum(self.counts.values())


def launch_id_of(campaign: str, occurrence: Occurrence) -> str:
    return derived_id("launch", campaign, occurrence.key)


def launch_campaign(
    runtime: Runtime, campaign: str, occurrence: Occurrence, now: datetime, progress: Progress | None = None
) -> LaunchResult:
    """Freeze the audience of one occurrence of a published campaign and queue its messages.

    For an edge, such as a command or a flow: it opens its own transactions. Raises ConfigError with everything that
    stands against a launch, ConflictError when the campaign is not live.
    """
    with runtime.database.transaction() as connection:
        plan, is_new = _begin(connection, campaign, occurrence, now)
    if plan is not None:
        _freeze(runtime, plan, now, progress or _nobody_watches)
    with runtime.database.read() as connection:
        row = _get_row(connection, launch_id_of(campaign, occurrence))
    return LaunchResult(row.id, campaign, row.occurrence, is_new, dict(Tally.of_document(row.counts).counts))


def finish_launches(connection: Connection, now: datetime) -> int:
    """Mark the launches done none of whose messages can still go out; answers how many."""
    still_open = exists().where(message.c.origin_id == launch.c.id, message.c.status.in_(_OPEN))
    done = connection.execute(
        update(launch)
        .where(launch.c.status == LaunchStatus.SENDING, ~still_open)
        .values(status=LaunchStatus.DONE, finished_at=now)
    )
    return done.rowcount


def _begin(connection: Connection, slug: str, occurrence: Occurrence, now: datetime) -> tuple[Plan | None, bool]:
    """The plan of the launch, None when it is through, and whether it is new."""
    launch_id = launch_id_of(slug, occurrence)
    row = connection.execute(select(launch).where(launch.c.id == launch_id)).one_or_none()
    if row is not None and row.status != LaunchStatus.FREEZING:
        return None, False
    workspace = get_workspace(connection)
    campaign = get_campaign(connection, slug, row.version if row is not None else None)
    if row is None and campaign.status is not CampaignStatus.LIVE:
        raise ConflictError(
            f"the campaign {slug!r} is {campaign.status}: set `status: live` and run `postilion apply`."
        )
    routes = check_ready(connection, workspace, campaign)
    if row is None:
        insert_ignore(connection, launch, [_new_row(launch_id, campaign, occurrence, now)])
    launched_at = row.launched_at if row is not None else now
    return plan_launch(campaign, workspace, routes, occurrence, launch_id, launched_at), row is None


def _new_row(launch_id: str, campaign: Campaign, occurrence: Occurrence, now: datetime) -> dict[str, Any]:
    return {
        "id": launch_id,
        "campaign": campaign.slug,
        "version": campaign.version,
        "occurrence": occurrence.key,
        "status": LaunchStatus.FREEZING,
        "last_profile_id": 0,
        "counts": Tally().as_document(),
        "launched_at": now,
    }


def _freeze(runtime: Runtime, plan: Plan, now: datetime, progress: Progress) -> None:
    with runtime.database.read() as connection:
        done_before = _get_row(connection, plan.launch_id)
        ids = select_audience(connection, runtime.vault, plan, after=done_before.last_profile_id)
    done = Tally.of_document(done_before.counts).counts.total()
    total = done + len(ids)
    progress(done, total)
    for some in batches(ids, BATCH):
        with runtime.database.transaction() as connection:
            # Somebody else may be freezing the same launch: each batch is taken by one of them.
            row = _get_row(connection, plan.launch_id, for_update=True)
            tally = Tally.of_document(row.counts)
            freeze_batch(
                connection, runtime.vault, plan, [one for one in some if one > row.last_profile_id], tally, now
            )
            _update(
                connection,
                plan.launch_id,
                last_profile_id=max(some[-1], row.last_profile_id),
                counts=tally.as_document(),
            )
        done += len(some)
        progress(done, total)
    with runtime.database.transaction() as connection:
        _update(connection, plan.launch_id, status=LaunchStatus.SENDING)


def _get_row(connection: Connection, launch_id: str, *, for_update: bool = False) -> Row[Any]:
    query = select(launch).where(launch.c.id == launch_id)
    return connection.execute(query.with_for_update() if for_update else query).one()


def _update(connection: Connection, launch_id: str, **values: Any) -> None:
    is_mine = (launch.c.id == launch_id) & (launch.c.status == LaunchStatus.FREEZING)
    connection.execute(update(launch).where(is_mine).values(**values))


def _nobody_watches(_done: int, _total: int) -> None:
    pass
