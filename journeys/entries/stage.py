"""The part of a tick in which people enter by something else than an event: what is due, and what of it is next."""

from __future__ import annotations

from sqlalchemy import Connection

from journeys.answers import Scene
from journeys.entries.changed_dates import enter_changed, has_changed_dates
from journeys.entries.retry import ask_settling
from journeys.entries.rounds import enter_next, find_rounds
from journeys.entries.settling import has_settling
from journeys.ingest import Ingested


def has_entries(connection: Connection, scene: Scene) -> bool:
    """Whether somebody may be due to enter; a few small reads."""
    if has_settling(connection, scene.now) or has_changed_dates(connection, scene):
        return True
    return next(find_rounds(connection, scene), None) is not None


def enter_due(connection: Connection, scene: Scene) -> Ingested:
    """The next piece of work; `is_all` when nothing was left to do."""
    if has_settling(connection, scene.now):
        return ask_settling(connection, scene)
    if has_changed_dates(connection, scene):
        return enter_changed(connection, scene)
    return enter_next(connection, scene)
