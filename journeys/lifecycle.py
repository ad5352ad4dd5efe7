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

from sqlalchemy import Connection, bindparam, select, update

from core.database import batches
from core.definitions import definition
from delivery import pauses
from delivery.tables import pause as pause_table
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments, save_enrolments
from journeys.model import Freeze, JourneyStatus
from journeys.steps.anew import put_off
from journeys.tables import EnrolmentStatus, enrolment, timer
from journeys.transition import Enrolment, Nudged, TimerKind

CAUSE = "its file says `status: paused`"
_BATCH = 500
_SCOPE = "journey:"


def has_to_sync(connection: Connection, scene: Scene) -> bool:
    standing = {row.scope for row in connection.execute(_ours())}
    return standing != {f"{_SCOPE}{slug}" for slug in scene.catalogue.paused}


def sync_pauses(connection: Connection, scene: Scene) -> Moved:
    """Make delivery hold back what a paused journey has queued, and set those in motion that go on again.

    A pause lasts from publication to publication, whenever somebody finds the time to act on either.
    """
    standing = {row.scope: row.since for row in connection.execute(_ours())}
    total = Moved()
    for slug in sorted(scene.catalogue.paused):
        scope = f"{_SCOPE}{slug}"
        if scope not in standing:
            pauses.pause(connection, scope, CAUSE, _paused_since(connection, slug))
    for scope, since in standing.items():
        slug = scope.removeprefix(_SCOPE)
        if slug not in scene.catalogue.paused:
            total += _resume(connection, scene, slug, since)
            pauses.resume(connection, scope)
    return total


def _ours() -> Any:
    return select(pause_table.c.scope, pause_table.c.since).where(pause_table.c.cause == CAUSE)


def _versions(connection: Connection, slug: str) -> list[Any]:
    """Every version, newest first."""
    query = select(definition.c.document, definition.c.published_at, definition.c.withdrawn_at).where(
        definition.c.kind == "journey", definition.c.slug == slug
    )
    return list(connection.execute(query.order_by(definition.c.version.desc())))


def _paused_since(connection: Connection, slug: str) -> datetime:
    """When the unbroken row of paused versions began that ends in the one in force."""
    since: datetime | None = None
    for row in _versions(connection, slug):
        if row.document.get("status") != JourneyStatus.PAUSED or (since is not None and row.withdrawn_at is not None):
            break
        since = row.published_at
    assert since is not None
    return since


def _went_on_at(connection: Connection, slug: str, since: datetime, now: datetime) -> datetime:
    """When the pause that began at `since` was over: by another version, or because the file was taken away."""
    over = [row.withdrawn_at for row in _versions(connection, slug) if row.withdrawn_at is not None]
    over += [
        row.published_at for row in _versions(connection, slug) if row.document.get("status") != JourneyStatus.PAUSED
    ]
    return min((instant for instant in over if instant > since), default=now)


def _resume(connection: Connection, scene: Scene, slug: str, since: datetime) -> Moved:
    """Put off what was left of the durations, then let everybody look whether their wait was over meanwhile."""
    versions = [journey for (one, _), journey in sorted(scene.catalogue.journeys.items()) if one == slug]
    freezes = bool(versions) and versions[-1].freeze is Freeze.FREEZE
    until = _went_on_at(connection, slug, since, scene.now)
    total = Moved()
    for some in batches(_inside(connection, slug), _BATCH):
        inside = list(load_enrolments(connection, scene.vault, some).values())
        if freezes:
            inside = _put_off(connection, scene, inside, since, until)
        total += advance_all(connection, scene, [(one, Nudged()) for one in inside])
    return total


def _inside(connection: Connection, slug: str) -> Sequence[int]:
    query = select(enrolment.c.id).where(
        enrolment.c.journey == slug, enrolment.c.status == EnrolmentStatus.ACTIVE.value
    )
    return list(connection.scalars(query.order_by(enrolment.c.id)))


def _put_off(
    connection: Connection, scene: Scene, inside: Sequence[Enrolment], since: datetime, until: datetime
) -> list[Enrolment]:
    """Let waits, and the longest stay, end later by as long as each person has stood still in the pause."""
    after = [
        _wait_longer(scene, one, max(until - max(since, one.step_entered_at or since), timedelta())) for one in inside
    ]
    save_enrolments(connection, scene.vault, after, scene.catalogue.journeys)
    waiting = [one for one, before in zip(after, inside, strict=True) if one is not before]
    _move_timers(connection, TimerKind.STEP, {one.id: _until(one) for one in waiting})
    stays = select(timer.c.enrolment_id, timer.c.due_at).where(
        timer.c.kind == TimerKind.MAX_STAY.value, timer.c.enrolment_id.in_([one.id for one in inside])
    )
    ends = {row.enrolment_id: row.due_at + (until - since) for row in connection.execute(stays)}
    _move_timers(connection, TimerKind.MAX_STAY, ends)
    return after


def _move_timers(connection: Connection, kind: TimerKind, ends: dict[int, datetime]) -> None:
    if ends:
        statement = update(timer).where(timer.c.enrolment_id == bindparam("b_id"), timer.c.kind == kind.value)
        rows = [{"b_id": owner, "b_due_at": due_at} for owner, due_at in ends.items()]
        connection.execute(statement.values(due_at=bindparam("b_due_at")), rows)


def _wait_longer(scene: Scene, one: Enrolment, by: timedelta) -> Enrolment:
    memo = one.state.get("waiting")
    journey = scene.catalogue.journeys.get((one.journey, one.version))
    step = journey.by_id.get(one.step or "") if journey else None
    if memo is None or step is None:
        return one
    longer = put_off(step, memo, by)["memo"]
    if longer == memo:
        return one
    stood_still_s = one.state.get("stood_still", 0) + by.total_seconds()
    return replace(one, state={**one.state, "waiting": longer, "stood_still": stood_still_s})


def _until(one: Enrolment) -> datetime:
    return datetime.fromisoformat(one.state["waiting"]["until"])
