"""What there is to run, and when: read from what is published. It registers nothing and starts nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from campaigns.definition import KIND as CAMPAIGN
from campaigns.definition import CampaignStatus, get_campaign
from cli.serving.schedules import Cron, Interval, Timing, in_words, timing_of
from core.definitions import definition, list_definitions
from customers.workspace import Workspace, get_workspace
from segments.definition import load_segments
from segments.ranks.ranking import ranks_in_use

HEARTBEAT, HOUSEKEEPING, RULES, RETENTION = "heartbeat", "housekeeping", "bought-together", "retention"
RANKS = "ranks"
INSIGHTS = "insights"
SEGMENTS = "segments-every-"
AUDIT = "membership-audit"
EXPORT = "export-"
REFRESH = timedelta(hours=1)  # how old a membership may become where its segment does not say

_SHORTEST_REFRESH = timedelta(minutes=5)  # a run costs two seconds of one core, however little it does
_BEATS = timedelta(minutes=10)
_HOUSEKEEPING = timedelta(hours=1)
_NIGHT, _LATER_AT_NIGHT, _BEFORE_MORNING = "15 3 * * *", "45 3 * * *", "15 4 * * *"
_BETWEEN = "30 3 * * *"
# Intervals are counted from here for ever, so that a restart fires nothing that is not due; and not all from the same
# minute, because each run begins with a fresh process.
_ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
_SEGMENTS_ANCHOR, _HOUSEKEEPING_ANCHOR = _ANCHOR + timedelta(minutes=2), _ANCHOR + timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One thing that runs by itself: a flow by its entry point, with its parameters; `words` are for its page."""

    name: str
    entrypoint: str
    parameters: Mapping[str, Any]
    timing: Timing
    words: str


def plan_deployments(connection: Connection, now: datetime) -> list[Deployment]:
    """Everything that is to run by itself, as it is published. Raises ConfigError for what cannot be read."""
    workspace = get_workspace(connection)
    return [
        _heartbeat(workspace),
        *_launches(connection, workspace, now),
        *_refreshes(connection, workspace),
        *_exports(connection, workspace),
        _rules(workspace),
        _insights(workspace),
        *_ranks(connection, workspace),
        _housekeeping(workspace),
        _retention(workspace),
        *_audit(connection, workspace),
    ]


def read_publication(connection: Connection) -> tuple[Any, ...]:
    """What changes whenever something is published or withdrawn: one cheap query."""
    columns = func.count(), func.max(definition.c.published_at), func.max(definition.c.withdrawn_at)
    return tuple(connection.execute(select(*columns)).one())


def _heartbeat(workspace: Workspace) -> Deployment:
    return Deployment(
        HEARTBEAT,
        "journeys.flows:heartbeat_flow",
        {"workspace": workspace.slug},
        Interval(_BEATS, _ANCHOR),
        "Advances journeys and sends what is due, once a second. Each run takes over from the one before.",
    )


def _launches(connection: Connection, workspace: Workspace, now: datetime) -> list[Deployment]:
    zone = ZoneInfo(workspace.timezone)
    found = []
    for published in list_definitions(connection, CAMPAIGN):
        campaign = get_campaign(connection, published.slug)
        if campaign.send is None or campaign.status is not CampaignStatus.LIVE:
            continue
        timing = timing_of(campaign.send, zone, since=published.published_at, now=now)
        if timing is not None:
            found.append(
                Deployment(
                    f"campaign-{campaign.slug}",
                    "campaigns.flows:launch_due_flow",
                    {"workspace": workspace.slug, "campaign": campaign.slug},
                    timing,
                    f"Launches the campaign {campaign.slug}: {in_words(campaign.send, zone)}.",
                )
            )
    return found


def _refreshes(connection: Connection, workspace: Workspace) -> list[Deployment]:
    """One deployment for all segments that want the same rhythm: a run costs more than a refresh."""
    groups: defaultdict[timedelta, list[str]] = defaultdict(list)
    for slug, segment in load_segments(connection).items():
        groups[max(segment.refresh or REFRESH, _SHORTEST_REFRESH)].append(slug)
    return [
        Deployment(
            f"{SEGMENTS}{_short(every)}",
            "segments.flows:refresh_segments_flow",
            {"workspace": workspace.slug, "only": sorted(slugs)},
            Interval(every, _SEGMENTS_ANCHOR),
            f"Brings the segments {', '.join(sorted(slugs))} up to date, every {_short(every)}.",
        )
        for every, slugs in sorted(groups.items())
    ]


def _exports(connection: Connection, workspace: Workspace) -> list[Deployment]:
    """Looked for every day; whether it is the day, the flow knows."""
    return [
        Deployment(
            f"{EXPORT}{slug}",
            "segments.flows:export_segment_flow",
            {"workspace": workspace.slug, "segment": slug},
            Cron(f"{plan.at.minute} {plan.at.hour} * * *", workspace.timezone),
            f"Writes the members of the segment {slug} to a file, {_rhythm(plan.days)} at {plan.at:%H:%M}.",
        )
        for slug, segment in load_segments(connection).items()
        if (plan := segment.export) is not None
    ]


def _rhythm(days: int) -> str:
    return {1: "every day", 7: "every Monday"}.get(days, f"every {days} days")


def _rules(workspace: Workspace) -> Deployment:
    return Deployment(
        RULES,
        "recommender.flows:mine_rules_flow",
        {"workspace": workspace.slug},
        Cron(_NIGHT, workspace.timezone),
        "Learns every night from the orders what is bought together.",
    )


def _insights(workspace: Workspace) -> Deployment:
    return Deployment(
        INSIGHTS,
        "insights.flows:renew_insights_flow",
        {"workspace": workspace.slug},
        Cron(_BETWEEN, workspace.timezone),
        "Learns every night from the purchases who will come back and what they are worth, and scores everybody.",
    )


def _ranks(connection: Connection, workspace: Workspace) -> list[Deployment]:
    """Nothing where nothing ranks: a run costs seconds."""
    if not ranks_in_use(connection):
        return []
    return [
        Deployment(
            RANKS,
            "segments.flows:rank_segments_flow",
            {"workspace": workspace.slug},
            Cron(_BEFORE_MORNING, workspace.timezone),
            "Ranks everybody anew every night, then brings the segments up to date.",
        )
    ]


def _housekeeping(workspace: Workspace) -> Deployment:
    return Deployment(
        HOUSEKEEPING,
        "delivery.flows:keep_house_flow",
        {"workspace": workspace.slug},
        Interval(_HOUSEKEEPING, _HOUSEKEEPING_ANCHOR),
        "Puts the messages in order whose sending was broken off, and says how messages stand.",
    )


def _retention(workspace: Workspace) -> Deployment:
    return Deployment(
        RETENTION,
        "console.flows:keep_retention_flow",
        {"workspace": workspace.slug},
        Cron(_LATER_AT_NIGHT, workspace.timezone),
        "Lets go every night of what is older than workspace.yaml says, and of the keys of past days.",
    )


def _audit(connection: Connection, workspace: Workspace) -> list[Deployment]:
    """Nothing where nothing is published: a run costs seconds."""
    if not load_segments(connection):
        return []
    return [
        Deployment(
            AUDIT,
            "segments.flows:audit_segments_flow",
            {"workspace": workspace.slug},
            Cron(_LATER_AT_NIGHT, workspace.timezone),
            "Compares every night each membership of a segment with its rule.",
        )
    ]


def _short(length: timedelta) -> str:
    """`90m`, `1h`, `2d`: the largest unit that divides it."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
