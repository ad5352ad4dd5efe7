"""How often journeys want to know who is in a segment: what `check_every` of their triggers asks for."""

from __future__ import annotations

from datetime import timedelta

from core.errors import NotFoundError
from core.runtime import Runtime
from journeys.catalogue import Catalogue, get_catalogue
from journeys.model import SegmentEntry


def read_rhythms(runtime: Runtime) -> dict[str, timedelta]:
    """The shortest rhythm asked for, by segment; nothing where nothing was applied yet."""
    with runtime.database.read() as connection:
        try:
            return rhythms_of(get_catalogue(connection))
        except NotFoundError:
            return {}


def rhythms_of(catalogue: Catalogue) -> dict[str, timedelta]:
    """Of journeys that let people in: nobody else asks."""
    found: dict[str, timedelta] = {}
    for admitting in catalogue.admitting:
        for entry in admitting.journey.entries:
            if isinstance(entry, SegmentEntry) and entry.check_every is not None:
                every = entry.check_every.as_elapsed()
                found[entry.segment] = min(every, found.get(entry.segment, every))
    return found
