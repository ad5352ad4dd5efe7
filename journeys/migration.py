"""Moves the people who are inside a journey over to its newest version, a batch a transaction.

Who is still to be moved is asked of the enrolments themselves, so that a run which was killed is simply begun again. A
batch takes the turn of a tick: nobody is moved and advanced at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select, text, update

from core.database import batches
from core.runtime import Runtime
from journeys.advancing import advance_all
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.enrolments import load_enrolments
from journeys.model import Journey
from journeys.places import find_place
from journeys.tables import EnrolmentStatus, enrolment
from journeys.tick import LOCK
from journeys.transition import Enrolment, Migrated, Wake

BATCH = 500
_AHEAD = 20_000  # ids that are read at a time
_INSIDE = (EnrolmentStatus.ACTIVE.value, EnrolmentStatus.HOLDOUT.value)


@dataclass(frozen=True, slots=True)
class Migration:
    """`moved` people go on in the newest version; `staying` ones have no place in it and finish their own."""

    journey: str
    moved: int = 0
    staying: int = 0


def migrate(
    runtime: Runtime,
    slug: str,
    now: datetime,
    *,
    batch: int = BATCH,
    report: Callable[[int], None] = lambda _moved: None,
) -> Migration:
    """Move everybody inside older versions of `slug`; run again, it does what is left.

    `report` is told after each batch how many were moved until then. Who stands at a step that the newest version
    knows nothing of stays behind: ask `places.iter_stranded` before.
    """
    total = Migration(slug)
    for ids in _iter_ids(runtime, slug):
        for some in batches(ids, batch):
            with runtime.database.transaction() as connection:
                take_turn(connection)
                moved = _move(connection, Scene(runtime.vault, get_catalogue(connection), now), slug, some)
            total = Migration(slug, total.moved + moved, total.staying + len(some) - moved)
            report(total.moved)
    return total


def take_turn(connection: Connection) -> None:
    """Wait until no tick is advancing anybody; it waits for the end of this transaction in turn."""
    if connection.dialect.name == "postgresql":  # on SQLite writers queue anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})


def _iter_ids(runtime: Runtime, slug: str) -> Iterator[Sequence[int]]:
    """The enrolments that are inside an older version, in the order of their ids."""
    last = 0
    while True:
        with runtime.database.read() as connection:
            newest = get_catalogue(connection).newest.get(slug)
            if newest is None:
                return
            query = select(enrolment.c.id).where(
                enrolment.c.journey == slug,
                enrolment.c.status.in_(_INSIDE),
                enrolment.c.version < newest.version,
                enrolment.c.id > last,
            )
            ids = list(connection.scalars(query.order_by(enrolment.c.id).limit(_AHEAD)))
        if not ids:
            return
        yield ids
        last = ids[-1]


def _move(connection: Connection, scene: Scene, slug: str, ids: Sequence[int]) -> int:
    catalogue = scene.catalogue
    newest = catalogue.newest.get(slug)
    if newest is None:
        return 0
    is_paused = slug in catalogue.paused
    moves: list[tuple[Enrolment, Wake]] = []
    for one in load_enrolments(connection, scene.vault, ids).values():
        old = catalogue.journeys.get((slug, one.version))
        if one.status is EnrolmentStatus.ENDED or one.version >= newest.version or old is None:
            continue  # somebody was quicker, or nobody can read the old version any more
        wake = _wake(old, newest, one, is_paused=is_paused)
        if wake is not None:
            moves.append((replace(one, version=newest.version), wake))
    moved = [one.id for one, _ in moves]
    connection.execute(update(enrolment).where(enrolment.c.id.in_(moved)).values(version=newest.version))
    advance_all(connection, scene, moves)
    return len(moves)


def _wake(old: Journey, new: Journey, one: Enrolment, *, is_paused: bool) -> Migrated | None:
    if one.status is EnrolmentStatus.HOLDOUT or one.step is None:
        return Migrated(old.version, None, keeps_place=True, is_paused=is_paused)
    place = find_place(old, new, one.step)
    if place is None:
        return None
    return Migrated(
        old.version,
        place.step,
        keeps_place=place.is_same,
        has_new_stay=old.max_stay != new.max_stay,
        is_paused=is_paused,
    )
