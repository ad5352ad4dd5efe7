"""Runs journeys through the time between a backup and its restore, as if that time passed now and nothing was sent.

What people went through in between is lost, and their timers have run out meanwhile. Firing them all at once would send
again what they had already; so each timer acts at its own minute, each message that falls due on the way is skipped,
and everybody stands in the end where they would stand now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, select, text

from core.runtime import Runtime
from delivery.envelope import MessageRow
from delivery.gap import due_in_gap, skip_due_in_gap
from delivery.tables import OriginKind, message
from journeys.advancing import advance_all
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.due import fire_due
from journeys.enrolments import find_ids, load_enrolments
from journeys.tables import enrolment, timer
from journeys.tick import LOCK
from journeys.transition import Nudged

BATCH = 500
_MINUTE = timedelta(minutes=1)

Progress = Callable[[int], None]  # timers and messages so far


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One minute: how many timers acted and messages were skipped in it, and when it was."""

    timers: int
    messages: int
    at: datetime


def count_timers_in_gap(connection: Connection, until: datetime) -> Counter[str]:
    """How many timers of each journey have run out by `until`."""
    query = (
        select(enrolment.c.journey, func.count())
        .select_from(timer)
        .join(enrolment, enrolment.c.id == timer.c.enrolment_id)
        .where(timer.c.due_at <= until)
        .group_by(enrolment.c.journey)
    )
    return Counter({row.journey: row[1] for row in connection.execute(query)})


def run_through(runtime: Runtime, since: datetime, until: datetime, progress: Progress) -> tuple[int, int]:
    """Let (since, until] pass; answers how many timers acted and how many messages were skipped.

    For an edge: a transaction each minute or batch. Killed, it goes on where it stood when it is called again.
    """
    timers = messages = 0
    after: datetime | None = None
    while True:
        with runtime.database.transaction() as connection:
            done = _pass(connection, runtime, since, until, after)
        if done is None:
            return timers, messages
        # A timer that could not act, as of a version that this engine does not understand, must not hold the others up.
        after = done.at if done.timers == done.messages == 0 else None
        timers, messages = timers + done.timers, messages + done.messages
        progress(timers + messages)


def _pass(
    connection: Connection, runtime: Runtime, since: datetime, until: datetime, after: datetime | None
) -> _Stretch | None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    catalogue = get_catalogue(connection)
    waiting = and_(
        due_in_gap(since, until),
        message.c.origin_kind == OriginKind.JOURNEY,
        message.c.origin.not_in(sorted(catalogue.paused)),
    )
    first = _first(connection, waiting, sorted(catalogue.paused), until, after)
    if first is None:
        return None
    at = min(max(_end_of_minute(first), since), until)
    scene = Scene(runtime.vault, catalogue, at)
    timer_count, _moved = fire_due(connection, scene, BATCH)
    skipped = skip_due_in_gap(
        connection,
        runtime.vault,
        catalogue.world.workspace,
        since,
        until,
        at,
        limit=BATCH,
        where=and_(waiting, message.c.first_due_at <= at),
    )
    _go_on(connection, scene, skipped)
    return _Stretch(timer_count, len(skipped), at)


def _first(
    connection: Connection,
    waiting: ColumnElement[bool],
    paused: Sequence[str],
    until: datetime,
    after: datetime | None,
) -> datetime | None:
    """When the next timer runs out or the next message is due."""
    timers = (
        select(timer.c.due_at)
        .join(enrolment, enrolment.c.id == timer.c.enrolment_id)
        .where(timer.c.due_at <= until, enrolment.c.journey.not_in(paused))
        .order_by(timer.c.due_at)
        .limit(1)
    )
    messages = select(func.min(message.c.first_due_at)).where(waiting)
    if after is not None:
        timers = timers.where(timer.c.due_at > after)
        messages = messages.where(message.c.first_due_at > after)
    found = [connection.scalar(timers), connection.scalar(messages)]
    return min((one for one in found if one is not None), default=None)


def _go_on(connection: Connection, scene: Scene, skipped: Sequence[MessageRow]) -> None:
    """Those who stood at a message that was skipped are told so."""
    inside = load_enrolments(connection, scene.vault, find_ids(connection, {row.origin_id for row in skipped}))
    advance_all(connection, scene, [(one, Nudged()) for one in inside.values()])


def _end_of_minute(instant: datetime) -> datetime:
    whole = instant.replace(second=0, microsecond=0)
    return instant if instant == whole else whole + _MINUTE
