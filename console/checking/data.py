"""What the database can tell the checker, where one is at hand: what is in force, and what has been seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from console.checking.pinned import newest_versions
from console.segment_costs import patient_url
from core.database import Database
from core.definitions import list_definitions
from core.errors import PostilionError
from core.settings import Settings
from customers.tables import customer_event
from insights.scores import list_score_names
from journeys.catalogue import get_catalogue
from journeys.model import Journey

_MOST_NAMES = 1_000


@dataclass(frozen=True, slots=True)
class Seen:
    """`events` are the names in the log, a thousand at most; `scores` those under which some were recorded.

    `templates` has the newest version of each, None where no database answers.
    """

    in_force: Mapping[str, Journey] = field(default_factory=dict)
    events: frozenset[str] = frozenset()
    scores: frozenset[str] = frozenset()
    templates: Mapping[str, int] | None = None


def look(settings: Settings) -> Seen:
    """What there is; nothing where no database answers, or none was set up: `postilion doctor` says why."""
    url = patient_url(settings.database)
    if url is None:
        return Seen()
    try:
        with closing(Database(url, pool_size=1)) as database, database.read() as connection:
            if not inspect(connection).has_table(customer_event.name):
                return Seen()
            events = frozenset(iter_event_names(connection))
            scores = frozenset(list_score_names(connection))
            is_published = bool(list_definitions(connection, "workspace"))
            in_force = get_catalogue(connection).newest if is_published else {}
            return Seen(in_force, events, scores, newest_versions(connection))
    except (SQLAlchemyError, PostilionError):
        return Seen()


def iter_event_names(connection: Connection) -> Iterator[str]:
    """Every name in the log, in order; one step along the index for each, however many events there are."""
    name = customer_event.c.name
    last = ""
    for _ in range(_MOST_NAMES):
        following = connection.scalar(select(name).where(name > last).order_by(name).limit(1))
        if following is None:
            return
        yield following
        last = following
