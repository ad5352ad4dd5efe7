"""Stopping a journey for good: nobody enters, everybody leaves, and what was not claimed is not sent any more.

Final for that version: its content runs again only as a new version.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from core.definitions import find_definition, withdraw
from core.errors import NotFoundError
from core.runtime import Runtime
from journeys.advancing import advance_all
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.enrolments import load_enrolments
from journeys.migration import take_turn
from journeys.tables import EnrolmentStatus, enrolment
from journeys.transition import Ended, EndReason

_BATCH = 500


def stop_journey(
    runtime: Runtime,
    slug: str,
    now: datetime,
    *,
    batch: int = _BATCH,
    report: Callable[[int], None] = lambda _ended: None,
) -> int:
    """End every run of `slug`, whatever its version, a batch a transaction; answers how many there were.

    The door closes first, so that a run which was killed is simply begun again. Raises NotFoundError.
    """
    with runtime.database.transaction() as connection:
        take_turn(connection)
        if find_definition(connection, "journey", slug, 1) is None:
            raise NotFoundError(f"there is no journey named {slug!r}: see `postilion journeys list`.")
        withdraw(connection, "journey", slug, now)
    ended = 0
    while True:
        with runtime.database.transaction() as connection:
            take_turn(connection)
            inside = select(enrolment.c.id).where(
                enrolment.c.journey == slug, enrolment.c.status != EnrolmentStatus.ENDED.value
            )
            running = load_enrolments(connection, runtime.vault, connection.scalars(inside.limit(batch)).all())
            scene = Scene(runtime.vault, get_catalogue(connection), now)
            ending = advance_all(connection, scene, [(one, Ended(EndReason.STOPPED)) for one in running.values()]).ended
        ended += ending
        report(ended)
        if not ending:
            return ended
