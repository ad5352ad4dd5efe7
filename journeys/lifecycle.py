"""Pausing, resuming and stopping a journey as a whole.

A journey whose file says `status: paused` lets nobody in, moves nobody and sends nothing; exits and goals still count,
and what lapses has lapsed. When it goes on, what was left of each duration is left still (`pause: {timers: run}` lets
it run down instead); a wait until a time of day is not put off. An archived or withdrawn journey drains: nobody enters,
the others finish.

A journey goes on batch by batch. Until the last of its people has been seen to, delivery's pause stands and nobody else
moves (`Catalogue.resuming`), so that no deadline acts that was to be put off; how far it came is kept with each batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from core.clock import to_micros
from core.cursors import Position, get_position, save_position
from core.definitions import definition
from delivery import pauses
from delivery.tables import pause as pause_table
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.catalogue import PAUSE_SCOPE, PAUSED_BY_FILE
from journeys.enrolments import load_enrolments, save_enrolments
from journeys.model import Freeze, JourneyStatus
from journeys.steps.anew import put_off
from journeys.tables import EnrolmentStatus, enrolment, timer
from journeys.transition import Enrolment, Nudged, TimerKind

BATCH = 500


@dataclass(frozen=True, slots=True)
class _Pause:
    """A pause that stands although it is over: [since, until)."""

    slug: str
    since: datetime
    until: datetime

    @property
    def cursor(self) -> str:
        return f"journeys:resume:{self.slug}"[:100]


def has_to_sync(connection: Connection, scene: Scene) -> bool:
    return _standing(connection) != scene.catalogue.pauses


def sync_pauses(connection: Connection, scene: Scene, limit: int = BATCH) -> tuple[Moved, bool]:
    """Make delivery hold back what a paused journey has queued, and set those in motion that go on again.

    A pause lasts from publication to publication, whenever somebody finds the time to act on either. One call sees to
    at most `limit` people; answers what moved, and whether nothing is left to do.
    """
    standing, wanted = _standing(connection), scene.catalogue.pauses
    for slug in sorted(wanted.keys() - standing.keys()):
        pauses.resume(connection, PAUSE_SCOPE + slug)  # one by hand had another beginning
        pauses.pause(connection, PAUSE_SCOPE + slug, PAUSED_BY_FILE, wanted[slug])
    over = next(_iter_over(connection, standing, scene), None)
    if over is None:
        return Moved(), True
    moved, is_through = _resume_some(connection, scene, over, limit)
    if is_through:
        pauses.resume(connection, PAUSE_SCOPE + over.slug)
    return moved, False


def _standing(connection: Connection) -> dict[str, datetime]:
    """Since when which journeys stand still for delivery because of their files."""
    query = select(pause_table.c.scope, pause_table.c.since).where(pause_table.c.cause == PAUSED_BY_FILE)
    return {row.scope.removeprefix(PAUSE_SCOPE): row.since for row in connection.execute(query)}


def _iter_over(connection: Connection, standing: dict[str, datetime], scene: Scene) -> Iterator[_Pause]:
    """The pauses that are over, also where another has begun since."""
    for slug, since in sorted(standing.items()):
        if scene.catalogue.pauses.get(slug) != since:
            yield _Pause(slug, since, _went_on_at(connection, slug, since, scene.now))


def _went_on_at(connection: Connection, slug: str, since: datetime, now: datetime) -> datetime:
    """When the pause that began at `since` was over: by another version, or because the file was taken away."""
    query = select(definition.c.document, definition.c.published_at, definition.c.withdrawn_at)
    rows = connection.execute(query.where(definition.c.kind == "journey", definition.c.slug == slug)).all()
    over = [row.withdrawn_at for row in rows if row.withdrawn_at is not None]
    over += [row.published_at for row in rows if row.document.get("status") != JourneyStatus.PAUSED]
    return min((instant for instant in over if instant > since), default=now)


def _resume_some(connection: Connection, scene: Scene, over: _Pause, limit: int) -> tuple[Moved, bool]:
    """Put off what was left of the durations of the next people, then let each look whether a wait was over meanwhile.

    Answers what moved, and whether these were the last.
    """
    position = get_position(connection, over.cursor)
    last = position.row_id if position.transaction_no == to_micros(over.since) else 0
    ids = _inside(connection, over.slug, last, limit)
    inside = list(load_enrolments(connection, scene.vault, ids).values())
    if _freezes(scene, over.slug):
        inside = _put_off(connection, scene, inside, over)
    stands_still = over.slug in scene.catalogue.pauses  # it was paused once more before anybody could act
    moved = advance_all(connection, scene, [(one, Nudged(is_paused=stands_still)) for one in inside])
    if ids:
        save_position(connection, over.cursor, Position(to_micros(over.since), ids[-1]))
    return moved, len(ids) < limit


def _freezes(scene: Scene, slug: str) -> bool:
    versions = [journey for (one, _), journey in sorted(scene.catalogue.journeys.items()) if one == slug]
    return bool(versions) and versions[-1].freeze is Freeze.FREEZE


def _inside(connection: Connection, slug: str, after: int, limit: int) -> Sequence[int]:
    query = select(enrolment.c.id).where(
        enrolment.c.journey == slug, enrolment.c.status == EnrolmentStatus.ACTIVE.value, enrolment.c.id > after
    )
    return list(connection.scalars(query.order_by(enrolment.c.id).limit(limit)))


def _put_off(connection: Connection, scene: Scene, inside: Sequence[Enrolment], over: _Pause) -> list[Enrolment]:
    """Let waits, and the longest stay, end later by as long as each person has stood still in the pause."""
    after = [_wait_longer(scene, one, _stood_still(over, one.step_entered_at)) for one in inside]
    save_enrolments(connection, scene.vault, after, scene.catalogue.journeys)
    waiting = [one for one, before in zip(after, inside, strict=True) if one is not before]
    _move_timers(connection, TimerKind.STEP, {one.id: _until(one) for one in waiting})
    by = {one.id: _stood_still(over, one.entered_at) for one in inside}
    stays = select(timer.c.enrolment_id, timer.c.due_at).where(
        timer.c.kind == TimerKind.MAX_STAY.value, timer.c.enrolment_id.in_(list(by))
    )
    ends = {row.enrolment_id: row.due_at + by[row.enrolment_id] for row in connection.execute(stays)}
    _move_timers(connection, TimerKind.MAX_STAY, ends)
    return after


def _stood_still(over: _Pause, since: datetime | None) -> timedelta:
    """How long somebody has stood still who came at `since`, which may be after the pause."""
    return max(over.until - max(over.since, since or over.since), timedelta())


def _move_timers(connection: Connection, kind: TimerKind, ends: dict[int, datetime]) -> None:
    if ends:
        statement = update(timer).where(timer.c.enrolment_id == bindparam("b_id"), timer.c.kind == kind.value)
        rows = [{"b_id": owner, "b_due_at": due_at} for owner, due_at in ends.items()]
        connection.execute(statement.values(due_at=bindparam("b_due_at")), rows)


def _wait_longer(scene: Scene, one: Enrolment, by: timedelta) -> Enrolment:
    memo: Any = one.state.get("waiting")
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
