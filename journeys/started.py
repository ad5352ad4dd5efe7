"""People whom a step of one journey brings to the door of another, by way of the customer log.

The log entry is written in the transaction of the step and read like any other event, so nobody is let in twice, a
merge takes it along, and journeys that start each other never run inside one another.
"""

from __future__ import annotations

from journeys.admission import Candidate
from journeys.catalogue import Admitting
from journeys.model import EventEntry, Journey, StartedEntry
from journeys.questions import Event


def from_start(admitting: Admitting, event: Event, profile_id: int) -> Candidate | None:
    """Who stands at this journey's door because of `event`; None when it is about another journey."""
    journey, said = admitting.journey, event.properties
    if said.get("journey") != journey.slug or event.occurred_at < admitting.live_since:
        return None
    entry = said.get("entry") or {}
    return Candidate(
        journey=journey,
        entry=StartedEntry(),
        profile_id=profile_id,
        key=_key(journey, entry),
        occurrence=str(said.get("start_id")),
        trigger=f"start_journey:{said.get('started_by')}",
        at=event.occurred_at,
        event_id=event.id,
        properties=entry,
        chain=int(said.get("chain") or 0),
    )


def _key(journey: Journey, entry: object) -> str | None:
    """The run's key, by the property that the journey's triggers take it from."""
    names = [one.key for one in journey.entries if isinstance(one, EventEntry) and one.key is not None]
    if not names:
        return ""
    value = entry.get(names[0]) if isinstance(entry, dict) else None
    return None if value is None or isinstance(value, list | dict) or value == "" else str(value)[:200]
