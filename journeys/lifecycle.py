"""Pausing, resuming and stopping a journey as a whole.

A journey whose file says `status: paused` lets nobody in, moves nobody and sends nothing; exits and goals still count.
When it goes on, what was left of each duration is left still (`pause: {timers: run}` lets it run down instead); a wait
until a time of day is not put off. An archived or withdrawn journey drains: nobody enters, the others finish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from core.database import batches
from delivery import pauses
from delivery.tables import pause as pause_table
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments, save_enrolments
from journeys.model import Freeze
from journeys.steps import wait, wait_for
from journeys.tables import EnrolmentStatus, enrolment, timer
from journeys.transition import Ended, EndReason, Enrolment, Nudged, TimerKind

CAUSE = "its file says `status: paused`"
_BATCH = 500
_DURATIONS = (wait.VERB, wait_for.VERB)


def has_to_sync(connection: Connection, scene: Scene) -> bool:
    standing = {row.scope for row in connection.execute(_ours())}
    return standing & {f"journey:{slug}" for slug in scene.catalogue.newest} != {
        f"journey:{slug}" for slug in scene.catalogue.paused
    }


def sync_pauses(connection: Connection, scene: Scene) -> Moved:
    """Make delivery hold back what a paused journey has queued, and set those in motion that go on again."""
    standing = {row.scope: row.since for row in connection.execute(_ours())}
    total = Moved()
    for slug in scene.catalogue.newest:
        scope, is_paused = f"journey:{slug}", slug in scene.catalogue.paused
        if is_paused and scope not in standing:
            pauses.pause(connection, scope, CAUSE, scene.now)
        elif not is_paused and scope in standing:
            total += _resume(connection, scene, slug, scene.now - standing[scope])
            pauses.resume(connection, scope)
    return total


def stop_journey(connection: Connection, scene: Scene, slug: str) -> Moved:
    """End every run of `slug`, whatever its version; what was not claimed is cancelled."""
    total = Moved()
    for some in batches(_inside(connection, slug), _BATCH):
        running = load_enrolments(connection, scene.vault, some)
        total += advance_all(connection, scene, [(one, Ended(EndReason.STOPPED)) for one in running.values()])
    return total


def _ours() -> Any:
    return select(pause_table.c.scope, pause_table.c.since).where(pause_table.c.cause == CAUSE)


def _inside(connection: Connection, slug: str) -> Sequence[int]:
    query = select(enrolment.c.id).where(enrolment.c.journey == slug, enrolment.c.status != EnrolmentStatus.ENDED.value)
    return list(connection.scalars(query.order_by(enrolment.c.id)))


def _resume(connection: Connection, scene: Scene, slug: str, stood_still: timedelta) -> Moved:
    """Put off what was left of the durations, then let everybody look whether their wait was over meanwhile."""
    freezes = scene.catalogue.newest[slug].freeze is Freeze.FREEZE
    total = Moved()
    for some in batches(_inside(connection, slug), _BATCH):
        inside = [
            _put_off(connection, scene, one, stood_still) if freezes else one
            for one in load_enrolments(connection, scene.vault, some).values()
        ]
        save_enrolments(connection, scene.vault, inside, scene.catalogue.journeys)
        total += advance_all(connection, scene, [(one, Nudged()) for one in inside])
    return total


def _put_off(connection: Connection, scene: Scene, one: Enrolment, by: timedelta) -> Enrolment:
    memo = one.state.get("waiting")
    journey = scene.catalogue.journeys.get((one.journey, one.version))
    step = journey.by_id.get(one.step or "") if journey else None
    if memo is None or step is None or step.verb not in _DURATIONS or "until" not in memo:
        return one
    until = datetime.fromisoformat(memo["until"]) + by
    connection.execute(
        update(timer).where(timer.c.enrolment_id == one.id, timer.c.kind == TimerKind.STEP.value).values(due_at=until)
    )
    return replace(one, state={**one.state, "waiting": {**memo, "until": until.isoformat()}})
