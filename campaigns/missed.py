"""What of campaigns fell between a backup and its restore, and leaving it out: the restored database cannot know what
was sent in between, and nobody shall get a mail twice without somebody having said so.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from campaigns.audience import Tally
from campaigns.definition import KIND, get_campaign
from campaigns.due import find_between
from campaigns.launch import launch_id_of
from campaigns.schedule import Occurrence
from campaigns.tables import LaunchStatus, launch
from core.database import batches, insert_ignore
from core.definitions import list_definitions

_BATCH = 500


def find_missed(connection: Connection, since: datetime, until: datetime) -> dict[str, list[Occurrence]]:
    """By campaign what its schedule had in (since, until] and was not launched; campaigns without any are left out."""
    slugs = [one.slug for one in list_definitions(connection, KIND)]
    found = {slug: find_between(connection, slug, since, until) for slug in slugs}
    return {slug: occurrences for slug, occurrences in found.items() if occurrences}


def find_broken_off(connection: Connection, until: datetime) -> dict[str, list[str]]:
    """By campaign the ids of launches that were freezing their audience at the backup."""
    query = select(launch.c.campaign, launch.c.id).where(
        launch.c.status == LaunchStatus.FREEZING, launch.c.launched_at <= until
    )
    found: dict[str, list[str]] = {}
    for campaign, launch_id in connection.execute(query.order_by(launch.c.launched_at, launch.c.id)):
        found.setdefault(campaign, []).append(launch_id)
    return found


def leave_out_missed(connection: Connection, since: datetime, until: datetime, now: datetime) -> int:
    """Record what `find_missed` finds as missed, so that no schedule launches it; answers how many there were."""
    rows = [
        {
            "id": launch_id_of(slug, occurrence),
            "campaign": slug,
            "version": get_campaign(connection, slug).version,
            "occurrence": occurrence.key,
            "status": LaunchStatus.MISSED,
            "last_profile_id": 0,
            "counts": Tally().as_document(),
            "launched_at": occurrence.launch_at,
            "finished_at": now,
        }
        for slug, occurrences in find_missed(connection, since, until).items()
        for occurrence in occurrences
    ]
    for some in batches(rows, _BATCH):
        insert_ignore(connection, launch, some)
    return len(rows)


def stop_broken_off(connection: Connection, until: datetime, now: datetime) -> int:
    """End the launches that `find_broken_off` finds: whom they had not reached yet they never will."""
    stopped = connection.execute(
        update(launch)
        .where(launch.c.status == LaunchStatus.FREEZING, launch.c.launched_at <= until)
        .values(status=LaunchStatus.STOPPED, finished_at=now)
    )
    return stopped.rowcount
