"""Lets those in who were in a segment before the journey went live, where it says `backfill: true`.

Begins as soon as the journey admits people everywhere (its `schedule`). Walked by profile id, resumable. Those whom the
segment's first refresh finds after that come by its events instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from core.clock import to_micros
from core.cursors import Position, get_position, save_position
from journeys.answers import Scene
from journeys.catalogue import Admitting
from journeys.ingest import Ingested
from journeys.model import SegmentEntry
from journeys.triggers import default_zone_of, from_backfill, let_in
from segments.tables import membership

BATCH = 500
_DONE = 2**62


def find_backfills(connection: Connection, scene: Scene) -> Iterator[tuple[Admitting, SegmentEntry, int]]:
    """(journey, trigger, last profile) of every backfill that is not through."""
    for admitting in scene.catalogue.admitting:
        if not admitting.journey.admissions.has_begun(scene.now, default_zone_of(scene, admitting.journey)):
            continue
        for entry in admitting.journey.entries:
            if isinstance(entry, SegmentEntry) and entry.backfill:
                position = get_position(connection, _cursor(admitting, entry))
                # Live anew after a pause or a withdrawal: whoever is in the segment then is let in, if he may re-enter.
                last = position.row_id if position.transaction_no == to_micros(admitting.live_since) else 0
                if last < _DONE:
                    yield admitting, entry, last


def backfill(connection: Connection, scene: Scene, admitting: Admitting, entry: SegmentEntry, last: int) -> Ingested:
    """Let the next members in."""
    query = (
        select(membership.c.profile_id)
        .where(
            membership.c.segment == entry.segment,
            membership.c.entered_at < admitting.live_since,
            membership.c.profile_id > last,
        )
        .order_by(membership.c.profile_id)
        .limit(BATCH)
    )
    ids = list(connection.scalars(query))
    candidates = [from_backfill(admitting, entry, profile_id) for profile_id in ids]
    new, moved = let_in(connection, scene, candidates)
    is_all = len(ids) < BATCH
    behind = _DONE if is_all else ids[-1]
    save_position(connection, _cursor(admitting, entry), Position(to_micros(admitting.live_since), behind))
    return Ingested(0, len(new), moved, is_all)


def _cursor(admitting: Admitting, entry: SegmentEntry) -> str:
    return f"journeys:{admitting.journey.slug}:{entry.segment}"[:100]
