"""Reads the customer log where it was left, and lets each event act: entries, goals and exits, waits.

Within a batch events are taken in the order in which they happened, and never two of one profile at a time, so that
many people move in one statement and nobody's story is told out of order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, or_, select

from core.cursors import Position, get_position, latest_position, save_position
from customers.log import LoggedEvent, read_log
from customers.tables import customer_event
from journeys.advancing import Held, Moved, advance_all
from journeys.answers import Scene, as_event
from journeys.enrolments import find_enrolments, find_ids, load_enrolments
from journeys.questions import Event
from journeys.steps.contract import ANY_EVENT
from journeys.steps.messages import ENDINGS
from journeys.tables import EnrolmentStatus, enrolment, event_wait
from journeys.transition import Nudged
from journeys.triggers import at_the_door, let_in

CURSOR = "journeys"
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Ingested:
    """`is_all`: nothing is left to be read."""

    events: int = 0
    entered: int = 0
    moved: Moved = field(default_factory=Moved)
    is_all: bool = True


def has_news(connection: Connection) -> bool:
    """Whether anything stands in the log that was not looked at yet."""
    return _order(latest_position(connection, customer_event)) > _order(get_position(connection, CURSOR))


def ingest(connection: Connection, scene: Scene, limit: int = BATCH) -> Ingested:
    """Handle the next batch of the log, and remember how far it went."""
    position = get_position(connection, CURSOR)
    latest = latest_position(connection, customer_event)
    if _order(latest) <= _order(position):  # below it, when the newest events were old enough to be deleted
        return Ingested()
    rows, behind = read_log(connection, position, limit, scene.catalogue.event_names())
    total = Ingested()
    known = _known(connection, rows)
    held = Held()
    for wave in _waves(scene, rows):
        new, moved = let_in(
            connection,
            scene,
            [candidate for profile_id, event in wave for candidate in at_the_door(scene, event, profile_id)],
        )
        if new:
            entered = {profile_id for profile_id, _ in wave}
            known |= entered
            held.forget(entered)
        moved += _nudge(connection, scene, [(number, event) for number, event in wave if number in known], new, held)
        total = Ingested(total.events, total.entered + len(new), total.moved + moved)
    is_all = len(rows) < limit
    # What the filter passed over was looked at as well: without this it would be read again at every tick.
    save_position(connection, CURSOR, max(behind, latest, key=_order) if is_all else behind)
    return Ingested(len(rows), total.entered, total.moved, is_all)


def _known(connection: Connection, rows: Sequence[LoggedEvent]) -> set[int]:
    """The profiles among these that ever entered a journey: nobody else has anything to hear."""
    ids = sorted({row.profile_id for row in rows if row.profile_id is not None})
    query = select(enrolment.c.profile_id).where(enrolment.c.profile_id.in_(ids)).distinct()
    return set(connection.scalars(query))


def _waves(scene: Scene, rows: Sequence[LoggedEvent]) -> Iterator[list[tuple[int, Event]]]:
    """The events in the order in which they happened, as lists in which each profile stands once at most."""
    queues: dict[int, list[LoggedEvent]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.occurred_at, row.id)):
        if row.profile_id is not None:
            queues[row.profile_id].append(row)
    depth = 0
    while wave := [(profile_id, queue[depth]) for profile_id, queue in queues.items() if len(queue) > depth]:
        yield [(profile_id, as_event(scene.vault, row)) for profile_id, row in wave]
        depth += 1


def _nudge(connection: Connection, scene: Scene, wave: Sequence[tuple[int, Event]], new: set[int], held: Held) -> Moved:
    """Tell those who are inside what happened; who has just come in knows it already."""
    events = dict(wave)
    if not events:
        return Moved()
    wanted = _concerned(connection, scene, events) | _waiting(connection, events) | find_ids(connection, _owners(wave))
    inside = load_enrolments(connection, scene.vault, wanted - new)
    paused = scene.catalogue.paused
    moves = [
        (one, Nudged((events[one.profile_id],), one.journey in paused))
        for one in inside.values()
        if one.profile_id in events
    ]
    return advance_all(connection, scene, moves, held=held)


def _concerned(connection: Connection, scene: Scene, events: dict[int, Event]) -> set[int]:
    """Those whose journey has a goal or an exit that the event may be; a goal counts after the end as well."""
    interests = scene.catalogue.interests
    names = {event.name for event in events.values()}
    slugs = {
        slug
        for (slug, _), interest in interests.items()
        if any(interest.concerns(name, has_ended=False) for name in names)
    }
    if not slugs:
        return set()
    rows = find_enrolments(
        connection,
        enrolment.c.profile_id.in_(sorted(events)),
        enrolment.c.journey.in_(sorted(slugs)),
        or_(enrolment.c.status != EnrolmentStatus.ENDED.value, enrolment.c.goal_at.is_(None)),
    )
    return {
        row.id
        for row in rows
        if (interest := interests.get((row.journey, row.version)))
        and interest.concerns(events[row.profile_id].name, has_ended=row.status == EnrolmentStatus.ENDED)
    }


def waiting_for(profile_ids: Collection[int], names: Collection[str]) -> Select[tuple[int, int, str]]:
    """(enrolment, profile, name) of those who wait for events of these names: an index leads to them."""
    return select(event_wait.c.enrolment_id, event_wait.c.profile_id, event_wait.c.event_name).where(
        event_wait.c.profile_id.in_(sorted(profile_ids)), event_wait.c.event_name.in_(sorted(names))
    )


def _waiting(connection: Connection, events: dict[int, Event]) -> set[int]:
    names = {event.name for event in events.values()} | {ANY_EVENT}
    return {
        row.enrolment_id
        for row in connection.execute(waiting_for(events, names))
        if row.event_name in (ANY_EVENT, events[row.profile_id].name)
    }


def _owners(wave: Sequence[tuple[int, Event]]) -> set[str]:
    """The uids of enrolments whose message has come to its end."""
    return {
        str(event.properties["origin_id"])
        for _, event in wave
        if event.name in ENDINGS
        and event.properties.get("origin_kind") == "journey"
        and "origin_id" in event.properties
    }


def _order(position: Position) -> tuple[int, int]:
    return (position.transaction_no, position.row_id)
