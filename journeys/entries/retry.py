"""Those whose condition did not hold yet: asked again when their profile changed, refused when their time is over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select

from core.database import batches
from customers.log import logged_event
from customers.tables import customer_event
from journeys.admission import Candidate, Refusal
from journeys.answers import Scene, as_event
from journeys.entries.settling import find_changed, find_over, let_go
from journeys.ingest import Ingested
from journeys.triggers import Refused, at_the_door_again, let_in, record_refusals

_BATCH = 500


def ask_settling(connection: Connection, scene: Scene) -> Ingested:
    """Let those in whose condition holds by now, refuse those who have waited long enough."""
    total = Ingested()
    for some in batches(find_changed(connection, scene.now), _BATCH):
        for wave in _waves(_candidates(connection, scene, some)):
            new, moved = let_in(connection, scene, wave)
            total = Ingested(0, total.entered + len(new), total.moved + moved)
    for some in batches(find_over(connection, scene.now), _BATCH):
        refused = [
            Refused(row.enrolment_uid, row.journey, row.profile_id, Refusal.CONDITION, event_id=row.event_id)
            for row in some
        ]
        record_refusals(connection, refused, scene.now)
        let_go(connection, [row.enrolment_uid for row in some])
    return replace(total, is_all=False)


def _refused(scene: Scene, row: Row[Any]) -> Refused:
    newest = scene.catalogue.newest.get(row.journey)
    version = newest.version if newest is not None else None
    return Refused(row.enrolment_uid, row.journey, row.profile_id, Refusal.CONDITION, version, row.event_id)


def _candidates(connection: Connection, scene: Scene, rows: Sequence[Row[Any]]) -> list[Candidate]:
    """Them as they stood at the door, in the order of their events; nobody where the journey lets nobody in now."""
    ids = sorted({row.event_id for row in rows})
    events = {row.id: row for row in connection.execute(select(customer_event).where(customer_event.c.id.in_(ids)))}
    found = []
    for row in sorted(rows, key=lambda row: row.event_id):
        stored = events.get(row.event_id)
        if stored is None or stored.profile_id is None:
            continue
        event = as_event(scene.vault, logged_event(stored))
        candidate = at_the_door_again(scene, row.journey, event, stored.profile_id, row.until)
        if candidate is not None and candidate.enrolment_uid != row.enrolment_uid:
            let_go(connection, [row.enrolment_uid])  # somebody else's since a merge
        found += [] if candidate is None else [candidate]
    return found


def _waves(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """In their order, as lists in which each profile stands once at most."""
    depths: Counter[int] = Counter()
    waves: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        waves[depths[candidate.profile_id]].append(candidate)
        depths[candidate.profile_id] += 1
    yield from waves.values()
