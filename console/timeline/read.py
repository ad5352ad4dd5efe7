"""One page of a customer's timeline, put together from its sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from console.timeline.entries import Entry, Group, Place
from console.timeline.names import Names, load_names
from console.timeline.sources import read_consents, read_events, read_imports, read_requests
from core.vault import Vault
from customers.tables import identity

PAGE_ENTRIES = 50


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Entries, newest first; `next` is where the page behind begins, None at the end of the history."""

    entries: Sequence[Entry]
    next: Place | None
    names: Names


def read_timeline(
    connection: Connection,
    vault: Vault,
    profile_id: int,
    *,
    after: Place | None = None,
    limit: int = PAGE_ENTRIES,
    group: Group | None = None,
) -> TimelinePage:
    """The entries behind `after` (from the newest on without it), of one group or of all."""
    wanted = limit + 1
    lookups = connection.scalars(select(identity.c.lookup).where(identity.c.profile_id == profile_id)).all()
    found = [
        *read_events(connection, vault, profile_id, after, wanted, group),
        *read_consents(connection, lookups, after, wanted, group),
        *read_requests(connection, profile_id, after, wanted, group),
        *read_imports(connection, profile_id, after, wanted, group),
    ]
    found.sort(key=lambda entry: entry.place, reverse=True)
    entries = found[:limit]
    return TimelinePage(
        entries,
        entries[-1].place if len(found) > limit else None,
        load_names(connection, vault, entries),
    )
