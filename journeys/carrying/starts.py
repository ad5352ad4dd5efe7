"""Journeys that steps start: one log entry each, which lets the person in at the next look at the log."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from core.database import insert_ignore
from core.ids import derived_id
from customers.log import NewEvent, append_events
from journeys.admission import Refusal
from journeys.answers import Scene
from journeys.tables import entry_refusal
from journeys.transition import STARTED, Enrolment, StartJourney


def start_journeys(connection: Connection, scene: Scene, starts: Iterable[tuple[Enrolment, StartJourney]]) -> None:
    """Whoever is to start a journey that lets nobody in is refused there, which `why-not` tells."""
    live = {admitting.journey.slug for admitting in scene.catalogue.admitting}
    events, refusals = [], []
    for owner, effect in starts:
        if effect.journey in live:
            events.append(_event(owner, effect, scene))
        else:
            refusals.append(
                {
                    "key": derived_id("refusal", effect.id),
                    "journey": effect.journey,
                    "profile_id": owner.profile_id,
                    "reason": Refusal.NOT_LIVE.value,
                    "at": scene.now,
                }
            )
    append_events(connection, scene.vault, scene.catalogue.world.workspace, events, scene.now)
    insert_ignore(connection, entry_refusal, refusals)


def _event(owner: Enrolment, effect: StartJourney, scene: Scene) -> NewEvent:
    said = {
        "journey": effect.journey,
        "started_by": owner.journey,
        "enrolment_id": owner.uid,
        "start_id": effect.id,
        "chain": effect.chain,
        "entry": dict(effect.entry),
    }
    return NewEvent(STARTED, scene.now, "journeys", f"start:{effect.id}", owner.profile_id, said)
