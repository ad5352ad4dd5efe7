"""Draws of bandits, kept with their windows, so that what they earned can be counted.

Draws whose windows ended some days ago are counted once and for all, and go: what a bandit knows stays small however
many people it has drawn for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.database import insert_ignore
from journeys.answers import Scene
from journeys.earnings import SETTLES_AFTER, settle
from journeys.tables import bandit_draw
from journeys.transition import Enrolment, NoteDraw


def note_draws(connection: Connection, scene: Scene, draws: Iterable[tuple[Enrolment, NoteDraw]]) -> None:
    noted = list(draws)
    rows = [
        {
            "id": effect.id,
            "test": effect.earned.test,
            "reward": effect.earned.reward.digest,
            "arm": effect.arm,
            "profile_id": owner.profile_id,
            "enrolment_uid": owner.uid,
            "drawn_at": effect.drawn_at,
            "ends_at": effect.ends_at,
        }
        for owner, effect in noted
    ]
    insert_ignore(connection, bandit_draw, rows)
    zone = ZoneInfo(scene.catalogue.world.workspace.timezone)
    for earned in {effect.earned for _, effect in noted}:
        settle(connection, replace(earned, known_until=earned.known_until - SETTLES_AFTER), zone)
