"""Which occurrence of a campaign is to be launched now: for the schedule, and for somebody who says `launch`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from campaigns.definition import KIND, Campaign, CampaignStatus, get_campaign
from campaigns.launch import launch_id_of
from campaigns.schedule import Occurrence, due_occurrences, iter_occurrences, next_occurrence
from campaigns.tables import LaunchStatus, launch
from core.definitions import get_definition
from core.errors import ConflictError
from customers.workspace import get_workspace
from delivery.pauses import EVERYTHING, find_pauses

_JUST_LAUNCHED = timedelta(hours=24)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def find_due(connection: Connection, campaign: str, now: datetime) -> list[Occurrence]:
    """What the schedule of a live campaign has due at `now` and was not launched yet, and launches that were broken
    off; oldest first. Nothing while everything is paused.
    """
    if EVERYTHING in find_pauses(connection, now):
        return []
    found = get_campaign(connection, campaign)
    if found.status is not CampaignStatus.LIVE:
        return []
    broken_off = connection.execute(
        select(launch.c.occurrence)
        .where(launch.c.campaign == campaign, launch.c.status == LaunchStatus.FREEZING)
        .order_by(launch.c.launched_at)
    ).scalars()
    return [*map(Occurrence.of_key, broken_off), *_due_now(connection, found, now)]


def find_between(connection: Connection, campaign: str, since: datetime, until: datetime) -> list[Occurrence]:
    """What the schedule of a live campaign had between `since` (exclusive) and `until` and was not launched."""
    found = get_campaign(connection, campaign)
    if found.status is not CampaignStatus.LIVE or found.send is None:
        return []
    between = iter_occurrences(found.send, _zone(connection), max(since, _begins(connection, found)))
    due = takewhile(lambda one: one.launch_at <= until, between)
    return [one for one in due if one.launch_at > since and not _is_launched(connection, campaign, one)]


def choose_occurrence(connection: Connection, campaign: str, now: datetime, *, again: bool = False) -> Occurrence:
    """What `postilion launch` launches: a launch that was broken off, else what the schedule has due, else the one
    moment of a campaign that is sent once, which may lie ahead (its messages wait for it), else this moment.

    Raises ConflictError when the campaign was launched within the last day, unless `again`.
    """
    found = get_campaign(connection, campaign)
    latest = connection.execute(
        select(launch).where(launch.c.campaign == campaign).order_by(launch.c.launched_at.desc()).limit(1)
    ).one_or_none()
    if latest is not None and latest.status == LaunchStatus.FREEZING:
        return Occurrence.of_key(latest.occurrence)
    scheduled = _due_now(connection, found, now) or _ahead(connection, found, now)
    if scheduled:
        return scheduled[0]
    if latest is not None and latest.launched_at > now - _JUST_LAUNCHED and not again:
        at = f"{latest.launched_at:%Y-%m-%d %H:%M} UTC"
        raise ConflictError(f"the campaign {campaign!r} was launched at {at}: add --again to send it once more.")
    return Occurrence(now)


def _due_now(connection: Connection, campaign: Campaign, now: datetime) -> list[Occurrence]:
    if campaign.send is None:
        return []
    due = due_occurrences(campaign.send, _zone(connection), since=_begins(connection, campaign), now=now)
    return [one for one in due if not _is_launched(connection, campaign.slug, one)]


def _begins(connection: Connection, campaign: Campaign) -> datetime:
    """A rhythm begins when it is published; a single moment that has just passed is late."""
    has_rhythm = campaign.send is not None and campaign.send.every is not None
    return get_definition(connection, KIND, campaign.slug).published_at if has_rhythm else _EVER


def _ahead(connection: Connection, campaign: Campaign, now: datetime) -> list[Occurrence]:
    if campaign.send is None or campaign.send.at is None:
        return []
    one = next_occurrence(campaign.send, _zone(connection), now)
    return [] if one is None or _is_launched(connection, campaign.slug, one) else [one]


def _zone(connection: Connection) -> ZoneInfo:
    return ZoneInfo(get_workspace(connection).timezone)


def _is_launched(connection: Connection, campaign: str, occurrence: Occurrence) -> bool:
    query = select(launch.c.id).where(launch.c.id == launch_id_of(campaign, occurrence))
    return connection.execute(query).one_or_none() is not None
