"""Dates that became known, or whose owner's zone changed, when the moment had passed already: they enter at once.

A slot that was gone through does not come again, so whoever changed since the last look is asked about the dates of the
last day. Everything that still lies ahead is found by its slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from campaigns.schedule import LATEST_RUN
from core.cursors import Position, get_position, save_position
from core.database import batches
from core.zones import find_zone
from customers.tables import ProfileStatus, profile
from journeys.admission import Candidate
from journeys.answers import Scene
from journeys.catalogue import Admitting
from journeys.entries.dates import is_kept_on
from journeys.entries.kinds import DateEntry
from journeys.entries.slots import due_of_date, due_on_dates, occurrence_of, trigger_of
from journeys.entries.touched import Touched, begin_now, has_touched, read_touched
from journeys.ingest import Ingested
from journeys.triggers import default_zone_of, let_in

CURSOR = "journeys:dates"
_BATCH = 500


def has_changed_dates(connection: Connection, scene: Scene) -> bool:
    return any(True for _ in _doors(scene)) and has_touched(connection, CURSOR)


def enter_changed(connection: Connection, scene: Scene) -> Ingested:
    """Let those in whose date is kept now, and was not known, or elsewhere, when its slot was gone through."""
    if get_position(connection, CURSOR) == Position():
        begin_now(connection, CURSOR)  # before the first look there are slots
        return Ingested(is_all=False)
    total = Ingested()
    touched = read_touched(connection, CURSOR)
    for admitting, entry in _doors(scene):
        for some in batches(_candidates(connection, scene, admitting, entry, touched), _BATCH):
            new, moved = let_in(connection, scene, some)
            total = Ingested(0, total.entered + len(new), total.moved + moved)
    save_position(connection, CURSOR, touched.behind)
    return Ingested(0, total.entered, total.moved, is_all=False)


def _doors(scene: Scene) -> Iterator[tuple[Admitting, DateEntry]]:
    for admitting in scene.catalogue.admitting:
        for entry in admitting.journey.entries:
            if isinstance(entry, DateEntry):
                yield admitting, entry


def _candidates(
    connection: Connection, scene: Scene, admitting: Admitting, entry: DateEntry, touched: Touched
) -> list[Candidate]:
    default, workspace = default_zone_of(scene, admitting.journey), scene.catalogue.world.workspace
    found: dict[int, Candidate] = {}
    for day in sorted({slot.day for slot in due_on_dates(entry, default, scene.now) if slot.day is not None}):
        query = select(profile.c.id, profile.c.timezone).where(
            touched.include(profile.c.id),
            profile.c.status.in_([ProfileStatus.ACTIVE.value, ProfileStatus.RESTRICTED.value]),
            is_kept_on(entry, day, workspace, scene.vault),
        )
        for profile_id, stated in connection.execute(query.order_by(profile.c.id)):
            zone: ZoneInfo = find_zone(stated or "") or default
            due_at = due_of_date(entry, day, zone)
            if scene.now - LATEST_RUN < due_at <= scene.now:
                found[profile_id] = Candidate(
                    admitting.journey, entry, profile_id, "", occurrence_of(entry, day), trigger_of(entry), due_at
                )
    return list(found.values())
